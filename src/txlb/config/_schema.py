"""
The configuration file's elements and attributes, in one place.

The attributes are made from the settings of the values that the elements stand for. The
loader, the messages about names that it does not know, C{txlb check --explain} and the
reference page are all made from L{CONFIG}.
"""

from __future__ import annotations

from txlb.config._accessmap import AccessMap
from txlb.config._admintoken import AdminToken
from txlb.config._adminuser import AdminUser
from txlb.config._attribute import REQUIRED, Attribute
from txlb.config._attributes import attributesOf
from txlb.config._checkersource import CheckerSource
from txlb.config._child import Child
from txlb.config._configchecksettings import ConfigCheckSettings
from txlb.config._element import Element
from txlb.config._eventssettings import EventsSettings
from txlb.config._ldapsource import LDAPSource
from txlb.config._loggingsettings import LoggingSettings
from txlb.config._managersettings import ManagerSettings
from txlb.config._radiussource import RADIUSSource
from txlb.config._sshsettings import SSHSettings
from txlb.config._timersettings import TimerSettings
from txlb.config._websettings import WebSettings
from txlb.config._word import Word
from txlb.config._words import CHECKS, PROBES, SOURCES
from txlb.model import (
    CLIENT_NETWORK,
    LISTEN_ADDRESS,
    CloneSet,
    Cluster,
    Discovery,
    HealthCheck,
    HostTLS,
    Listener,
    ListenTLS,
    ProxyGroup,
    ProxyHost,
    ProxyService,
    ResourceProbe,
    UNIXAddress,
)
from txlb.model.kinds import WEEK, Name, Path, Seconds
from txlb.model.settings import Since

# Services

CHECK = Element(
    "check",
    "How hosts are checked: in a group all of its hosts, in a host that one alone. Without it they "
    "are checked only where ``<heartbeat>`` or ``<hostCheck>`` says so.",
    attributesOf(HealthCheck, {"kind": Word(CHECKS)}),
    since=Since.NEW,
    by="type",
    variants=CHECKS.variants,
)

RESOURCE = Element(
    "resource",
    "How the loads of the hosts of a group are found out. Their weights follow the loads, under "
    "every scheduler that weighs; ``resource`` is the one that is made for it. A host has its "
    "configured weight if its load is unknown for three intervals.",
    attributesOf(ResourceProbe, {"probe": Word(PROBES)}),
    since=Since.NEW,
    by="probe",
    variants=PROBES.variants,
)

CLONES = Element(
    "clones",
    "Processes of one Twisted application on this machine, which serve as hosts of the group. The "
    "balancer starts them, and lets them accept the connections of the service: no byte passes "
    "through it. A ``<host>`` may stand beside them; its connections are relayed.",
    attributesOf(CloneSet),
    since=Since.NEW,
)

DISCOVER = Element(
    "discover",
    "A source of hosts for the group, beside those that are written here. The balancer follows it "
    "while it runs, and never writes the hosts into this file. If the source fails the last known "
    "hosts stay.",
    attributesOf(Discovery, {"source": Word(SOURCES)}),
    since=Since.NEW,
    by="from",
    variants=SOURCES.variants,
)

#: TLS towards a host, or towards the hosts of a group. What is not written is that of the group.
_HOST_TLS = attributesOf(HostTLS, defaults={"on": None})

HOST = Element(
    "host",
    "A host that does the work.",
    (*attributesOf(ProxyHost), *_HOST_TLS),
    (Child(CHECK, 0, 1),),
)

GROUP = Element(
    "group",
    "Hosts that do the same work, and how one of them is chosen. Of a service's groups exactly "
    "one is enabled.",
    (*attributesOf(ProxyGroup), *_HOST_TLS),
    (
        Child(CHECK, 0, 1),
        Child(RESOURCE, 0, 1),
        Child(CLONES, 0, 1),
        Child(DISCOVER, 0, 1),
        Child(HOST),
    ),
)

TLS = Element(
    "tls",
    "TLS ends here: clients speak TLS, and hosts, or the web console, get what is inside of it.",
    attributesOf(ListenTLS),
    since=Since.NEW,
)

LISTEN = Element(
    "listen",
    "A place where the service listens. ``mode``, ``user`` and ``group`` are those of the file of "
    "a UNIX socket (``unix:/path``); other addresses have none.",
    (*attributesOf(Listener), *attributesOf(UNIXAddress)),
    (Child(TLS, 0, 1),),
)

ALLOW = Element(
    "allow",
    "A network whose clients may come in. Of all networks of the service the most specific one "
    "that holds a client decides, in any order; a client that is in none may come in if there is "
    "no ``<allow>``.",
    (Attribute("network", CLIENT_NETWORK, "The network.", REQUIRED),),
    since=Since.NEW,
)

DENY = Element(
    "deny",
    "A network whose clients may not come in; see ``<allow>``. They are closed at once and "
    "counted.",
    (Attribute("network", CLIENT_NETWORK, "The network.", REQUIRED),),
    since=Since.NEW,
)

ENABLE = Element(
    "enable",
    "Another way to say which group is enabled.",
    (
        Attribute(
            "group",
            Name("group"),
            "The name of a group of this service.",
            REQUIRED,
            since=Since.PYDIRECTOR,
        ),
    ),
    since=Since.PYDIRECTOR,
)

SERVICE = Element(
    "service",
    "One thing that clients connect to: its listeners, and the groups of hosts that serve it.",
    attributesOf(ProxyService),
    (Child(LISTEN, 1), Child(ALLOW), Child(DENY), Child(GROUP, 1), Child(ENABLE, 0, 1)),
)

# Administration

WEB = Element(
    "web",
    "The web console, the REST interface and the metrics, for the users and tokens of ``<admin>``.",
    attributesOf(WebSettings),
    (Child(TLS, 0, 1),),
)

SSH = Element(
    "ssh",
    "The Python prompt inside the running balancer, for OpenSSH's client.",
    attributesOf(SSHSettings),
)

USER = Element(
    "user",
    "A user that may log in, by password, by key, or by either.",
    attributesOf(AdminUser, defaults={"access": REQUIRED}),
)

TOKEN = Element(
    "token",
    "A token by which a program uses the REST interface.",
    attributesOf(AdminToken),
    since=Since.NEW,
)

MAP = Element(
    "map",
    "The access of the users of which a server tells a thing. If several are told, the highest "
    "access counts; a user of which none is told has no access.",
    attributesOf(AccessMap),
    since=Since.NEW,
)

LDAP = Element(
    "ldap",
    "A directory whose users may log in, by their passwords there or by keys that it has. It takes "
    "``txlb[ldap]``. Sources of logins are asked in the order of the file, ``<user>`` where the "
    "first one stands.",
    attributesOf(LDAPSource),
    (Child(MAP, 1),),
    since=Since.NEW,
)

RADIUS = Element(
    "radius",
    "RADIUS servers that decide about passwords. It takes ``txlb[radius]``. Each answer has to "
    "have a Message-Authenticator.",
    attributesOf(RADIUSSource),
    (Child(MAP, 1),),
    since=Since.NEW,
)

CHECKER = Element(
    "checker",
    "A checker of Twisted's, as ``twistd --auth`` takes it.",
    attributesOf(CheckerSource),
    since=Since.NEW,
)

ADMIN = Element(
    "admin",
    "The ways to look at the balancer and to change it while it runs, and its users.",
    (
        Attribute(
            "listen",
            LISTEN_ADDRESS,
            "Where PythonDirector's web pages listened.",
            since=Since.PYDIRECTOR,
            ignored=True,
        ),
    ),
    (
        Child(WEB, 0, 1),
        Child(SSH, 0, 1),
        *(Child(each) for each in (USER, TOKEN, LDAP, RADIUS, CHECKER)),
    ),
)

# The process

HOST_CHECK = Element(
    "hostCheck",
    "Trying hosts that are down, by connecting to them; those that have a ``<check>``, or whose "
    "group has one, are checked as that says. While a host is about to come back it is tried every "
    "2 seconds.",
    attributesOf(TimerSettings, defaults={"interval": 120.0}),
)

CONFIG_CHECK = Element(
    "configCheck",
    "Saving live changes to this file, and following it if it is changed.",
    attributesOf(ConfigCheckSettings, defaults={"interval": 30.0}),
)

HEARTBEAT = Element(
    "heartbeat",
    "Checking all hosts, by connecting to them; those that have a ``<check>``, or whose group has "
    "one, are checked as that says. While a host is about to change it is checked every 2 seconds. "
    "Beside it ``<hostCheck>`` has no effect.",
    attributesOf(TimerSettings, defaults={"interval": 60.0}),
)

MANAGER = Element(
    "manager",
    "What the balancer does by itself.",
    (
        *attributesOf(ManagerSettings),
        Attribute(
            "hostCheckInterval",
            Seconds(0.01, WEEK),
            "An old place for the interval of ``<hostCheck>``.",
            since=Since.OLD,
            ignored=True,
        ),
    ),
    (Child(HOST_CHECK, 0, 1), Child(CONFIG_CHECK, 0, 1), Child(HEARTBEAT, 0, 1)),
    always=True,
)

CONTROL = Element(
    "control",
    "The control socket, for the ``txlb`` command and other programs of this machine.",
    (
        Attribute(
            "socket",
            Path(),
            "Its path. No other user may be able to write to its folder. A missing folder is made, "
            "with mode 0700.",
            defaultDoc="no socket",
            since=Since.OLD,
            unset=("None",),
        ),
    ),
)

LOGGING = Element(
    "logging",
    "The log file. Without this element the log goes where twistd sends it.",
    attributesOf(LoggingSettings),
)

EVENTS = Element(
    "events",
    "A place to which the events of the balancer are published, as JSON, each at most once. "
    "Nothing waits for it: what does not fit into what waits is dropped.",
    attributesOf(EventsSettings),
    since=Since.NEW,
)

CLUSTER = Element(
    "cluster",
    "The cluster of balancers that this one is a member of. Its members elect a leader, and share "
    "live changes. What can write to the keys of the cluster owns the balancers in it.",
    attributesOf(Cluster),
    since=Since.NEW,
)

#: Version 1.1.0 ignored it at every place, and so does this version.
NOTE = Element("note", "A remark. Its content is not read. It may stand in any element.")

CONFIG = Element(
    "config",
    "The whole file. PythonDirector called it ``pdconfig``, which is accepted.",
    (),
    (
        Child(SERVICE, 1),
        Child(ADMIN, 0, 1),
        Child(MANAGER, 0, 1),
        Child(CONTROL, 0, 1),
        Child(LOGGING, 0, 1),
        Child(EVENTS, 0, 1),
        Child(CLUSTER, 0, 1),
    ),
    aliases=("pdconfig",),
)
