"""
The elements of groups and of their hosts.
"""

from __future__ import annotations

from txlb.config import _kinds as kinds
from txlb.config import _things as things
from txlb.config._attributes import NAME_DOC, named, of
from txlb.config._elements import REQUIRED, Attribute, Child, Element, Since
from txlb.model import MAX_WEIGHT, ProxyGroup, ProxyHost

HOST = Element(
    "host",
    "A host that does the work.",
    (
        Attribute(
            "name",
            things.Name("host"),
            NAME_DOC.format(where="group"),
            defaultDoc="``host.1``, ``host.2`` and so on, whichever is free",
            since=Since.OLD,
        ),
        Attribute("ip", things.HostAddress(), "Where it is reached.", REQUIRED, since=Since.OLD),
        of(
            ProxyHost,
            "weight",
            kinds.Whole(0, MAX_WEIGHT),
            "Its share of the connections beside the other hosts' weights, for the schedulers "
            "that weigh. With 0 it gets nothing new.",
            Since.OLD,
        ),
        of(
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
        named("group", "service"),
        of(
            ProxyGroup,
            "scheduler",
            things.SchedulerWord(),
            "The policy by which the next host is chosen.",
            Since.OLD,
        ),
        of(
            ProxyGroup,
            "enable",
            kinds.Boolean(),
            "Whether this is the group that gets the connections.",
            Since.OLD,
            field="enabled",
        ),
        of(
            ProxyGroup,
            "passiveFall",
            kinds.Whole(1, 100),
            "After how many failures to connect in a row a host is put out.",
        ),
        of(
            ProxyGroup,
            "whenAllDown",
            kinds.Word(("try", "close")),
            "What happens while every host is put out: they are tried all the same, or the "
            "client is closed at once.",
        ),
        of(
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
