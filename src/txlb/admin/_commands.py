"""
The list of commands of administrators.

The functions of the manhole, the commands of the control socket, and the words,
arguments, completion and reference of C{txlb} are made of it. So the arguments of a
command, its access and its description are said once.

The list is plain data, and is read without Twisted and without the balancer: the
C{txlb} command starts fast.
"""

from __future__ import annotations

from txlb.admin._access import FULL, OPERATOR, READONLY
from txlb.admin._arguments import (
    ADMISSION_SETTINGS,
    ANSWER,
    CHECK,
    CHECK_SETTINGS,
    DEADLINE,
    FILE,
    FLAG,
    GROUP,
    GROUP_SETTINGS,
    HOST,
    HOST_SETTINGS,
    LISTENER,
    REQUIRED,
    SCHEDULER,
    SCHEDULER_SETTINGS,
    SECONDS,
    SECRET,
    SERVICE,
    TEXT,
    WEIGHT,
    WHOLE,
    Argument,
    Kind,
)
from txlb.admin._command import AdminCommand
from txlb.admin._rest import Rest
from txlb.errors import UnknownName

_SERVICE = Argument("service", SERVICE, "the name of a service")
_GROUP = Argument("group", GROUP, "the name of one of its groups")
_HOST = Argument("host", HOST, "the name of one of its hosts")
_PATH = (_SERVICE, _GROUP, _HOST)
_DEADLINE = Argument(
    "deadline",
    DEADLINE,
    "the time after which the connections that are left are reset, at most a day; by default never",
    None,
)
_DISCARD = Argument("discard", FLAG, "undo live changes that are not in the file", False)

_CHECK = Argument("check", CHECK, "the word for the kind of check; none for no check")


def _settings(kind: Kind, doc: str, default: object = REQUIRED) -> Argument:
    return Argument("settings", kind, f"{doc}; none stands for a value that is not set", default)


_CHECK_SETTINGS = _settings(CHECK_SETTINGS, "settings of the check, such as interval=1s", {})

#: All of them, in the order of the reference. C{GetClientAddress} of the control
#: socket is not in it: hosts ask it, and not administrators, and it has the shape that
#: 1.1.0 gave it.
COMMANDS = (
    AdminCommand(
        "status",
        "status",
        READONLY,
        "Show how a balancer stands. The answer has its listeners, services, groups and hosts, the "
        "processes if it is a cloned application, and the changes since its file was read.",
        (Argument("service", SERVICE, "only this service; by default all", ""),),
    ),
    AdminCommand(
        "health",
        "health",
        READONLY,
        "Tell whether a balancer serves clients. It does if all listeners accept, if it is not "
        "about to stop, and if no administrator has taken it out. The answer is one line; the exit "
        "status of txlb health is 0 if it serves, and 1 if it does not.",
        (
            Argument("service", SERVICE, "only this service; by default all", ""),
            Argument("hosts", FLAG, "each service has to have a host that is up, too", False),
            Argument("leader", FLAG, "the balancer has to lead its cluster, too", False),
        ),
        patience=3.0,
    ),
    AdminCommand(
        "explain",
        "explain",
        READONLY,
        "Tell which host a client would get. The answer has each host of the group with its score, "
        "and why it would not be chosen. With the name of a server it has the services that share "
        "an address with this one and get clients of TLS that ask for the name. Nothing is "
        "changed.",
        (
            _SERVICE,
            Argument("group", GROUP, "one of its groups; by default the enabled one", ""),
            Argument(
                "clientAddr",
                TEXT,
                "the IP address of the client; by default that of any client",
                "",
                option="--client",
            ),
            Argument(
                "serverName",
                TEXT,
                "the name of a server for which the client asks by TLS; by default the client "
                "comes to this service",
                "",
                option="--name",
            ),
        ),
    ),
    AdminCommand(
        "events",
        "events",
        READONLY,
        "Show the last events. The balancer keeps 1000 of them.",
        (
            Argument(
                "after",
                WHOLE,
                "the number of an event, after which to begin; below zero, how many of the last",
                -100,
            ),
            Argument(
                "wait",
                SECONDS,
                "how long to wait for an event if there is none yet, at most 60 seconds",
                0.0,
            ),
        ),
    ),
    AdminCommand(
        "history",
        "history",
        READONLY,
        "Show the last hour of a service, a group or a host. The answer has a point for every ten "
        "seconds: connections, new connections and bytes a second, failures, the time to connect, "
        "and the weight. The balancer keeps it for 3000 services, groups and hosts.",
        (
            _SERVICE,
            Argument("group", GROUP, "one of its groups; without it the service as a whole", ""),
            Argument("host", HOST, "one of its hosts; without it the group as a whole", ""),
            Argument(
                "since",
                SECONDS,
                "only points after this time, in seconds since 1970; by default all",
                0.0,
            ),
        ),
    ),
    AdminCommand(
        "diff",
        "diff",
        READONLY,
        "Tell how the balancer and its file differ. The answer has the changes of the file since "
        "it was loaded, which a reload takes up, and the live changes, which are not in the file "
        "until they are saved. The whole file is checked.",
    ),
    AdminCommand(
        "plan",
        "",
        # The answer may quote any file that the balancer can read.
        FULL,
        "Tell which changes a reload would make. It can be the balancer's own file, or another one "
        "in its place.",
        (
            Argument(
                "file", FILE, "the absolute path of another file; empty for the balancer's own", ""
            ),
            _DISCARD,
        ),
    ),
    AdminCommand(
        "reload",
        "reload",
        FULL,
        "Load the configuration file again. It is loaded completely or not at all, and the answer "
        "has the changes. Live changes that are not in the file stay. If the file was changed in "
        "the same place, nothing is done.",
        (_DISCARD,),
    ),
    AdminCommand(
        "save",
        "save",
        FULL,
        "Write live changes to the configuration file. The file keeps its comments and its order, "
        "and the old one is kept beside it.",
        (
            Argument(
                "overwrite",
                FLAG,
                "save also if the file was edited since it was loaded; the edit is lost then",
                False,
            ),
        ),
    ),
    AdminCommand(
        "roll",
        "roll",
        FULL,
        "Replace clones by new processes, one by one. They are those of the application, or of "
        "all groups of the balancer, and read the application's files again. The answer comes "
        "when all are replaced; if a new clone does not start, the old ones go on, and the "
        "answer says why.",
        patience=86_400.0,
    ),
    AdminCommand(
        "upgrade",
        "upgrade",
        FULL,
        "Let a new process take over. It has the same command line, runs the code and reads the "
        "file as they are now. The answer has its PID, and comes when it serves: a balancer's "
        "connections move to it, and the process before it ends. In a cloned application it "
        "manages the clones, whose connections go on.",
        (
            Argument(
                "check", FLAG, "only tell what would move, and what could not; do nothing", False
            ),
        ),
        patience=120.0,
    ),
    AdminCommand(
        "drain",
        "drain",
        OPERATOR,
        "Let a host get nothing new. The connections that it has go on.",
        (*_PATH, _DEADLINE),
        rest=Rest("PATCH", member="state", value="drain"),
        shared=True,
    ),
    AdminCommand(
        "maintenance",
        "maintenance",
        OPERATOR,
        "Drain a host, and check it no more. The connections that it has go on.",
        (*_PATH, _DEADLINE),
        rest=Rest("PATCH", member="state", value="maintenance"),
        shared=True,
    ),
    AdminCommand(
        "ready",
        "ready",
        OPERATOR,
        "Bring a host back that was drained or in maintenance.",
        _PATH,
        rest=Rest("PATCH", member="state", value="ready"),
        shared=True,
    ),
    AdminCommand(
        "setWeight",
        "weight",
        OPERATOR,
        "Give a host another weight. With 0 it gets nothing new.",
        (*_PATH, Argument("weight", WEIGHT, "the weight, 0 to 65535")),
        rest=Rest("PATCH"),
        shared=True,
    ),
    AdminCommand(
        "addHost",
        "add",
        FULL,
        "Add a host to a group. It gets connections at once. In a cloned application, start one "
        "more clone, such as clones/tcp-8080/clone4: it serves on all listeners.",
        (
            _SERVICE,
            _GROUP,
            Argument("host", HOST, "the name of the new host"),
            Argument(
                "address",
                TEXT,
                "the host's address, host:port or unix:/path; a clone has none",
                "",
                inPlace=True,
            ),
            Argument("weight", WEIGHT, "its weight, 0 to 65535", 1),
            _settings(HOST_SETTINGS, "other settings of the host, such as maxConnections=50", {}),
        ),
        rest=Rest("PUT"),
        shared=True,
    ),
    AdminCommand(
        "delHost",
        "remove",
        FULL,
        "Remove a host from its group. It gets nothing new, and the connections that it has go on. "
        "A clone ends on all listeners, after its grace time at the latest, and is not replaced.",
        (
            *_PATH,
            Argument(
                "address",
                TEXT,
                "the address that the host must have, so that no other host is removed",
                "",
            ),
            Argument("force", FLAG, "reset the connections that it has", False),
            _DEADLINE,
        ),
        rest=Rest("DELETE"),
        shared=True,
    ),
    AdminCommand(
        "switchGroup",
        "switch-group",
        FULL,
        "Send a service's new connections to another of its groups. Those that are open go on.",
        (_SERVICE, Argument("group", GROUP, "the name of the group that gets them")),
        rest=Rest("PATCH", member="enabled", value=True),
        shared=True,
    ),
    AdminCommand(
        "certificates",
        "certs",
        READONLY,
        "List the certificates of listeners that are in use. The answer has the names, the kind of "
        "key, the end, the file of each, since when it is in use, and the faults of files that "
        "have changed since.",
    ),
    AdminCommand(
        "reloadCertificates",
        "",
        FULL,
        "Read the files of certificates again. What is right in them is used for new handshakes; "
        "what has a fault is as it was.",
    ),
    AdminCommand(
        "sessions",
        "sessions",
        READONLY,
        "List the sessions of administrators. These are the clients that are in by any door, with "
        "their users, the sources of these, and how long they have done nothing.",
    ),
    AdminCommand(
        "endSession",
        "sessions end",
        FULL,
        "End a session. The client is disconnected within a second, and its user may log in again.",
        (Argument("session", WHOLE, "the number of the session, as sessions shows it"),),
    ),
    AdminCommand(
        "loginTest",
        "login-test",
        # It tells of each source what it says, which a login doesn't.
        FULL,
        "Ask the sources of logins about a user. The answer has what each source says of the "
        "password, and the groups and the access of the user. Nothing is counted as a wrong "
        "password.",
        (
            Argument("user", TEXT, "the login name"),
            Argument("password", SECRET, "the password; it is in no answer and no log"),
        ),
        patience=300.0,
    ),
    AdminCommand(
        "unlock",
        "unlock",
        FULL,
        "Forget wrong passwords, so that the next one is looked at at once. Without a user and "
        "without an address all are forgotten.",
        (
            Argument("user", TEXT, "those of this user alone", "", inPlace=True),
            Argument("address", TEXT, "those from this IP address alone; of IPv6 from its /64", ""),
        ),
    ),
    AdminCommand(
        "discovery",
        "discovery",
        READONLY,
        "Show the sources of hosts. The answer has each group that has one: how many hosts it has "
        "found, how old the last answer is, why there is none, the entries that are passed over, "
        "and whether an answer is held back.",
    ),
    AdminCommand(
        "acceptAnswer",
        "accept",
        OPERATOR,
        "Use the answer of a source of hosts that is held back. It leaves out many hosts; these "
        "are removed, and their connections go on.",
        (_SERVICE, _GROUP),
    ),
    AdminCommand(
        "cluster",
        "cluster",
        READONLY,
        "Show the cluster of balancers. The answer has the leader and since when it leads, and "
        "each member: its version, the leader that it knows, how many shared changes it has not "
        "made yet, and whether its services are the same as here. A balancer that is in none "
        "says so.",
    ),
    AdminCommand(
        "stepDown",
        "cluster step-down",
        FULL,
        "Let another member lead the cluster. This balancer is the leader now, and serves as "
        "before.",
    ),
    AdminCommand(
        "leaveCluster",
        "cluster leave",
        FULL,
        "Take this balancer out of its cluster. It serves with what it knows and refuses changes, "
        "until it joins again or is started again.",
    ),
    AdminCommand(
        "joinCluster",
        "cluster join",
        FULL,
        "Bring a balancer back into the cluster that it has left.",
    ),
    AdminCommand(
        "sharedValues",
        "cluster shared",
        READONLY,
        "List the values that the members of the cluster share. They count on top of what the "
        "files of the members say, until they are taken back.",
    ),
    AdminCommand(
        "forgetShared",
        "cluster forget",
        FULL,
        "Take back what the members of the cluster share. It is what they share of a service, a "
        "group or a host, and of what is in it. On each member that is again what its file says, "
        "or its source of hosts. Connections go on.",
        (
            Argument("service", SERVICE, "the name of a service", ""),
            Argument("group", GROUP, "one of its groups; by default the service and all in it", ""),
            Argument("host", HOST, "one of its hosts; by default the group and all in it", ""),
            Argument(
                "everything", FLAG, "take back all that is shared, instead of naming a part", False
            ),
        ),
    ),
    AdminCommand(
        "switchPort",
        "switch-port",
        FULL,
        "Let a listener listen elsewhere. The new address is taken before the old one is given up, "
        "and open connections go on.",
        (
            Argument("listener", LISTENER, "the name of the listener"),
            Argument("address", TEXT, "a port of the same interface, or an address"),
        ),
        rest=Rest("PATCH"),
    ),
    AdminCommand(
        "setScheduler",
        "scheduler",
        FULL,
        "Let a group choose its hosts by another policy. Counts and connections stay.",
        (
            _SERVICE,
            _GROUP,
            Argument("scheduler", SCHEDULER, "the word for the policy"),
            _settings(SCHEDULER_SETTINGS, "settings of the policy, such as choices=3", {}),
        ),
        rest=Rest("PATCH"),
        shared=True,
    ),
    AdminCommand(
        "setHealth",
        "set health",
        OPERATOR,
        "Let health say that the balancer does not serve, or what is so again. Clients that come "
        "are served all the same: their address can move to another balancer before this one "
        "stops.",
        (
            Argument(
                "answer",
                ANSWER,
                "fail, to take the balancer out; ok, to bring it back",
            ),
        ),
    ),
    AdminCommand(
        "setHost",
        "set host",
        FULL,
        "Change settings of a host, such as its limit. Its weight and its state have commands of "
        "their own.",
        (*_PATH, _settings(HOST_SETTINGS, "settings of the host, such as maxConnections=50")),
        rest=Rest("PATCH"),
        shared=True,
    ),
    AdminCommand(
        "setGroup",
        "set group",
        FULL,
        "Change settings of a group, such as its limits. Its scheduler has a command of its own.",
        (
            _SERVICE,
            _GROUP,
            _settings(GROUP_SETTINGS, "settings of the group, such as maxQueue=100"),
        ),
        rest=Rest("PATCH"),
        shared=True,
    ),
    AdminCommand(
        "setAdmission",
        "set admission",
        FULL,
        "Say which clients may connect to a service. Settings that are not given stay as they are, "
        "and so do the connections that are open.",
        (
            _SERVICE,
            _settings(
                ADMISSION_SETTINGS,
                "settings of the admission, such as deny=192.0.2.0/24 or ratePerClient=10",
            ),
        ),
        rest=Rest("PATCH"),
        shared=True,
    ),
    AdminCommand(
        "setCheck",
        "set check",
        FULL,
        "Check the hosts of a group, or one host, in another way. A host's own check comes before "
        "its group's, and that before the default.",
        (
            _SERVICE,
            _GROUP,
            _CHECK,
            # Not "host", which is an option of http checks.
            Argument("proxiedName", HOST, "one of its hosts; by default all", ""),
            _CHECK_SETTINGS,
        ),
        rest=Rest("PUT", part="check"),
        shared=True,
    ),
    AdminCommand(
        "setDefaultCheck",
        "set default-check",
        FULL,
        "Change the default check. It is for hosts without a check of their own and without one of "
        "their group.",
        (_CHECK, _CHECK_SETTINGS),
        rest=Rest("PUT", part="default-check"),
    ),
)

#: Descriptions of the first words that commands of two words share.
FAMILIES = {
    "set": "change settings live",
    "sessions": "list sessions, or end one",
    "cluster": "show the cluster of balancers, or change the part of this one in it",
}

_BY_NAME = {name: command for command in COMMANDS for name in (command.name, command.wireName)}


def findCommand(name: str) -> AdminCommand:
    """
    Return the command of a name, as in the list or as in AMP.

    @raise UnknownName: there is none.
    """
    try:
        return _BY_NAME[name]
    except KeyError:
        raise UnknownName("command", name, (each.name for each in COMMANDS)) from None
