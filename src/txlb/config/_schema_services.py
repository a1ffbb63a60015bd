"""
The elements of services.
"""

from __future__ import annotations

from txlb.config import _kinds as kinds
from txlb.config import _things as things
from txlb.config._attributes import DAY, WEEK, named, of
from txlb.config._elements import REQUIRED, Attribute, Child, Element, Since
from txlb.config._schema_groups import GROUP
from txlb.model import ProxyService, UNIXAddress

LISTEN = Element(
    "listen",
    "A place where the service listens. ``mode``, ``user`` and ``group`` are those of the file of "
    "a UNIX socket (``unix:/path``); other addresses have none.",
    (
        Attribute("ip", things.ListenAddress(), "The address.", REQUIRED, since=Since.OLD),
        of(
            UNIXAddress,
            "mode",
            things.Mode(),
            "The permissions of the socket. Clients need the one to write.",
        ),
        of(
            UNIXAddress,
            "user",
            things.Account("user"),
            "Whom the socket belongs to. Only root can give it to another user.",
            defaultDoc="the user of the process",
        ),
        of(
            UNIXAddress,
            "group",
            things.Account("group"),
            "The group of the socket. Another user than root can give it to the groups that it is "
            "in.",
            defaultDoc="the group that a new file has there",
        ),
    ),
)

ALLOW = Element(
    "allow",
    "A network whose clients may come in. Of all networks of the service the most specific one "
    "that holds a client decides, whatever their order; a client that is in none may come in if "
    "there is no ``<allow>``.",
    (Attribute("network", things.ClientNetwork(), "The network.", REQUIRED),),
    since=Since.NEW,
)

DENY = Element(
    "deny",
    "A network whose clients may not come in; see ``<allow>``. They are closed at once and "
    "counted.",
    (Attribute("network", things.ClientNetwork(), "The network.", REQUIRED),),
    since=Since.NEW,
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
        named("service", "file"),
        of(
            ProxyService,
            "maxConnections",
            kinds.Whole(1, 1_000_000),
            "How many connections it has at once. A client over that is closed at once and "
            "counted.",
        ),
        of(
            ProxyService,
            "connectTimeout",
            kinds.Seconds(0.01, 3600.0),
            "Seconds that one host has to accept a connection. If its name has several addresses, "
            "each of them has so many.",
        ),
        of(
            ProxyService,
            "dialTimeout",
            kinds.Seconds(0.01, 3600.0),
            "Seconds that the search for a host takes at most, for one client.",
        ),
        of(
            ProxyService,
            "retries",
            kinds.Whole(0, 100),
            "How many other hosts are tried for a client, each once, where one can't be reached.",
        ),
        of(
            ProxyService,
            "idleTimeout",
            kinds.Seconds(0.0, WEEK, "never"),
            "Seconds without a byte in either direction after which a connection is closed.",
        ),
        of(
            ProxyService,
            "finTimeout",
            kinds.Seconds(0.0, WEEK, "never"),
            "The same, once one side has finished sending.",
        ),
        of(
            ProxyService,
            "resolveInterval",
            kinds.Seconds(1.0, DAY),
            "Seconds between two look-ups of a host's name, give or take a little.",
        ),
        of(
            ProxyService,
            "relay",
            kinds.Word(("auto", "fast", "portable")),
            "Which relay moves the bytes: the fast one, raw sockets on Linux; the portable one, "
            "which works under every reactor; or the fast one where it can be used.",
        ),
        of(
            ProxyService,
            "maxConnectionsPerClient",
            kinds.Whole(1, 1_000_000),
            "How many connections one client has at once. A client is an IPv4 address, or an "
            "IPv6 network of 64 bits, which one customer has in most cases. Clients of UNIX "
            "sockets have no limits.",
            defaultDoc="no limit",
        ),
        of(
            ProxyService,
            "ratePerClient",
            kinds.Number(0.001, 1e6, "connections a second"),
            "How many new connections one client gets. More are closed at once and counted.",
            defaultDoc="no limit",
        ),
        of(
            ProxyService,
            "burstPerClient",
            kinds.Whole(1, 1_000_000),
            "How many new connections one client gets at once before ``ratePerClient`` counts.",
            defaultDoc="those of a second",
        ),
    ),
    (Child(LISTEN, 1), Child(ALLOW), Child(DENY), Child(GROUP, 1), Child(ENABLE, 0, 1)),
)
