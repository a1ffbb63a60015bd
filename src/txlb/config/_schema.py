"""
The configuration file's elements and attributes, in one place.

The loader, the messages about names that it does not know, C{txlb check
--explain} and the reference page are all made from L{CONFIG}. Defaults come
from the values that they end up in; the model checks its ranges once more.
"""

from __future__ import annotations

from typing import Any

from txlb.config import _kinds as kinds
from txlb.config import _things as things
from txlb.config._elements import REQUIRED, Attribute, Child, Element, Since, defaultOf
from txlb.config._settings import (
    ACCESS_WORDS,
    LoggingSettings,
    ManagerSettings,
    SSHSettings,
    TimerSettings,
    WebSettings,
)
from txlb.model import MAX_WEIGHT, ProxyGroup, ProxyHost, ProxyService

DAY = 86400.0
WEEK = 7 * DAY


def _of(
    valueType: type, name: str, kind: kinds.Kind, doc: str, since: Since = Since.NEW, **more: Any
) -> Attribute:
    """
    An attribute that ends up in the field of the same name.
    """
    more.setdefault("default", defaultOf(valueType, more.pop("field", name)))
    return Attribute(name, kind, doc, since=since, **more)


_NAME_DOC = "Its name, the only one of its kind in the {where}."


def _name(of: str, where: str) -> Attribute:
    doc = _NAME_DOC.format(where=where)
    return Attribute("name", things.Name(of), doc, REQUIRED, since=Since.OLD)


def _timer(tag: str, doc: str, interval: float, pending: str) -> Element:
    return Element(
        tag,
        doc,
        (
            Attribute(
                "interval",
                kinds.Seconds(0.01, WEEK),
                "Seconds from one time to the next.",
                interval,
                since=Since.OLD,
            ),
            _of(TimerSettings, "enable", kinds.Boolean(), "Whether it is done.", Since.OLD),
        ),
        pending=pending,
    )


HOST = Element(
    "host",
    "A host that does the work.",
    (
        Attribute(
            "name",
            things.Name("host"),
            _NAME_DOC.format(where="group"),
            defaultDoc="``host.1``, ``host.2`` and so on, whichever is free",
            since=Since.OLD,
        ),
        Attribute("ip", things.HostAddress(), "Where it is reached.", REQUIRED, since=Since.OLD),
        _of(
            ProxyHost,
            "weight",
            kinds.Whole(0, MAX_WEIGHT),
            "Its share of the connections beside the other hosts' weights, for the schedulers "
            "that weigh. With 0 it gets nothing new.",
            Since.OLD,
        ),
        _of(
            ProxyHost,
            "maxConnections",
            kinds.Whole(1, 10**9),
            "How many connections it takes at once.",
            defaultDoc="no limit",
        ),
    ),
)

GROUP = Element(
    "group",
    "Hosts that do the same work, and how one of them is chosen. Of a service's groups exactly "
    "one is enabled.",
    (
        _name("group", "service"),
        _of(
            ProxyGroup,
            "scheduler",
            things.SchedulerWord(),
            "The policy by which the next host is chosen.",
            Since.OLD,
        ),
        _of(
            ProxyGroup,
            "enable",
            kinds.Boolean(),
            "Whether this is the group that gets the connections.",
            Since.OLD,
            field="enabled",
        ),
        _of(
            ProxyGroup,
            "passiveFall",
            kinds.Whole(1, 100),
            "After how many failures to connect in a row a host is put out.",
        ),
        _of(
            ProxyGroup,
            "whenAllDown",
            kinds.Word(("try", "close")),
            "What happens while every host is put out: they are tried all the same, or the "
            "client is closed at once.",
        ),
        _of(
            ProxyGroup,
            "sendProxy",
            kinds.Word(("v1", "v2")),
            "Tell the host the client's address in a PROXY header of this version, before the "
            "client's own bytes. The host has to expect it.",
            defaultDoc="no header",
        ),
    ),
    (Child(HOST),),
)

LISTEN = Element(
    "listen",
    "A place where the service listens.",
    (Attribute("ip", things.ListenAddress(), "The address.", REQUIRED, since=Since.OLD),),
)

ENABLE = Element(
    "enable",
    "Another way to say which group is enabled.",
    (
        Attribute(
            "group",
            things.Name("group"),
            "The name of a group of this service.",
            REQUIRED,
            since=Since.PYDIRECTOR,
        ),
    ),
    since=Since.PYDIRECTOR,
)

SERVICE = Element(
    "service",
    "One thing that clients connect to: where it listens, and who may serve it.",
    (
        _name("service", "file"),
        _of(
            ProxyService,
            "maxConnections",
            kinds.Whole(1, 1_000_000),
            "How many connections it has at once. A client over that is closed at once and "
            "counted.",
        ),
        _of(
            ProxyService,
            "connectTimeout",
            kinds.Seconds(0.01, 3600.0),
            "Seconds that one host has to accept a connection.",
        ),
        _of(
            ProxyService,
            "dialTimeout",
            kinds.Seconds(0.01, 3600.0),
            "Seconds that the search for a host takes at most, for one client.",
        ),
        _of(
            ProxyService,
            "retries",
            kinds.Whole(0, 100),
            "How many other hosts are tried for a client, each once, where one can't be reached.",
        ),
        _of(
            ProxyService,
            "idleTimeout",
            kinds.Seconds(0.0, WEEK, "never"),
            "Seconds without a byte in either direction after which a connection is closed.",
        ),
        _of(
            ProxyService,
            "finTimeout",
            kinds.Seconds(0.0, WEEK, "never"),
            "The same, once one side has finished sending.",
        ),
        _of(
            ProxyService,
            "resolveInterval",
            kinds.Seconds(1.0, DAY),
            "Seconds between two look-ups of a host's name, give or take a little.",
        ),
        _of(
            ProxyService,
            "relay",
            kinds.Word(("auto", "fast", "portable")),
            "Which relay moves the bytes: the fast one, raw sockets on Linux; the portable one, "
            "Twisted's transports; or the fast one where it can be used.",
        ),
    ),
    (Child(LISTEN, 1), Child(GROUP, 1), Child(ENABLE, 0, 1)),
)

WEB = Element(
    "web",
    "The web pages.",
    (
        _of(
            WebSettings,
            "listen",
            things.ListenAddress(),
            "Where they listen.",
            Since.OLD,
            unset=("None",),
        ),
        _of(WebSettings, "enable", kinds.Boolean(), "Whether they do.", Since.OLD),
        _of(WebSettings, "secure", kinds.Boolean(), "Whether over TLS.", Since.OLD),
        _of(
            WebSettings,
            "refresh",
            kinds.Seconds(1.0, DAY),
            "Seconds between two refreshes of the running page.",
            Since.OLD,
            unset=("True", "False"),
        ),
    ),
    pending="the web pages",
)

SSH = Element(
    "ssh",
    "The Python prompt inside the running balancer, for OpenSSH's client.",
    (
        _of(
            SSHSettings,
            "listen",
            things.ListenAddress(),
            "Where it listens. Whoever gets in can do all that the balancer can, so keep it on "
            "loopback unless there is a reason.",
            Since.OLD,
            unset=("2222", "None"),
        ),
        _of(SSHSettings, "enable", kinds.Boolean(), "Whether it does.", Since.OLD),
    ),
)

USER = Element(
    "user",
    "Somebody who may log in, by password, by key, or by either.",
    (
        _name("user", "file"),
        Attribute(
            "password",
            things.PasswordHash(),
            "The hash of the password. With the crypt(3) hashes of old files nobody can log in.",
            defaultDoc="no password",
            since=Since.OLD,
        ),
        Attribute(
            "authorizedKeys",
            things.Path(),
            "A file of public keys, as in OpenSSH's ``authorized_keys``.",
            defaultDoc="no keys",
        ),
        Attribute(
            "access",
            kinds.Word(ACCESS_WORDS),
            "What the user may do. Only ``full`` opens the Python prompt, as nothing can be "
            "forbidden there.",
            REQUIRED,
            since=Since.OLD,
        ),
    ),
)

ADMIN = Element(
    "admin",
    "How the balancer is looked at and changed while it runs, and by whom.",
    (
        Attribute(
            "listen",
            things.ListenAddress(),
            "Where PythonDirector's web pages listened.",
            since=Since.PYDIRECTOR,
            ignored=True,
        ),
    ),
    (Child(WEB, 0, 1), Child(SSH, 0, 1), Child(USER)),
)

HOST_CHECK = _timer("hostCheck", "Trying hosts that are down.", 120.0, "health checks")
CONFIG_CHECK = _timer("configCheck", "Saving what was changed live.", 30.0, "saving changes")
HEARTBEAT = _timer("heartbeat", "Checking hosts that are up.", 60.0, "health checks")

MANAGER = Element(
    "manager",
    "What the balancer does by itself.",
    (
        _of(
            ManagerSettings,
            "graceTime",
            kinds.Seconds(0.0, DAY),
            "Seconds that open connections have to finish when the balancer stops; then they "
            "are reset.",
        ),
        Attribute(
            "hostCheckInterval",
            kinds.Seconds(0.01, WEEK),
            "An old place for the interval of ``<hostCheck>``.",
            since=Since.OLD,
            ignored=True,
        ),
    ),
    (
        Child(HOST_CHECK, 0, 1),
        Child(CONFIG_CHECK, 0, 1),
        Child(HEARTBEAT, 0, 1),
    ),
    always=True,
)

CONTROL = Element(
    "control",
    "A socket for other programs to ask for a connection's real client.",
    (
        Attribute(
            "socket",
            things.Path(),
            "Where it is.",
            defaultDoc="no socket",
            since=Since.OLD,
            unset=("None",),
        ),
    ),
    pending="the control socket",
)

LOGGING = Element(
    "logging",
    "The log file. Without this element the log goes where twistd sends it.",
    (
        _of(LoggingSettings, "file", things.Path(), "The file.", Since.OLD),
        _of(
            LoggingSettings,
            "connections",
            kinds.Boolean(),
            "Whether each finished connection gets a line.",
        ),
        _of(LoggingSettings, "format", kinds.Word(("text", "json")), "How lines are written."),
        _of(
            LoggingSettings,
            "rotateLength",
            kinds.Whole(1024, 10**12, "bytes", "never"),
            "After how many bytes a new file is begun.",
        ),
        _of(
            LoggingSettings,
            "maxRotated",
            kinds.Whole(1, 1000, "files"),
            "How many old files are kept.",
        ),
    ),
)

#: Version 1.1.0 ignored it wherever it stood, and so do we.
NOTE = Element("note", "A remark. Whatever is inside is not read. It may stand in any element.")

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
    ),
    aliases=("pdconfig",),
)
