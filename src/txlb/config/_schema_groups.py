"""
The elements of groups and of their hosts.
"""

from __future__ import annotations

from txlb.config import _kinds as kinds
from txlb.config import _things as things
from txlb.config._attributes import NAME_DOC, named, of
from txlb.config._elements import REQUIRED, Attribute, Child, Element, Since
from txlb.config._schema_checks import CHECK
from txlb.config._schema_resources import RESOURCE
from txlb.model import BOUNDED_LOAD, DECAY, HOST_STATES, MAX_WEIGHT, ProxyGroup, ProxyHost
from txlb.schedulers import MAX_CHOICES

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
        of(
            ProxyHost,
            "state",
            kinds.Word(HOST_STATES),
            "What is wanted of it. With ``drain`` it gets nothing new, with ``maintenance`` it is "
            "not checked either.",
        ),
        of(
            ProxyHost,
            "backup",
            kinds.Boolean(),
            "Whether it gets clients only while fewer than the group's ``minimumUp`` of the "
            "others are up.",
        ),
    ),
    (Child(CHECK, 0, 1),),
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
        of(
            ProxyGroup,
            "initialState",
            kinds.Word(("up", "check")),
            "Whether a host gets clients until something speaks against it, or not before its "
            "first check has passed. A host that isn't checked gets them at once.",
        ),
        of(
            ProxyGroup,
            "expectAnswer",
            kinds.Boolean(),
            "Whether the protocol answers: a host that closes or resets a connection before the "
            "first byte of its own has failed then. As clients can bring that about, it puts out "
            "at most a third of the group, and never its last ready host.",
        ),
        of(
            ProxyGroup,
            "answerFall",
            kinds.Whole(1, 1000),
            "After how many connections without an answer in a row a host is put out, with "
            "``expectAnswer``.",
        ),
        of(
            ProxyGroup,
            "flapHold",
            kinds.Seconds(0, 3600, zero="not holding any down"),
            "How long a host that goes down again and again is held down at most. The first time "
            "it is not, the second time for 1 s, then twice as long each time; a minute of being "
            "up takes one time back.",
        ),
        of(
            ProxyGroup,
            "whenDown",
            kinds.Word(("keep", "close")),
            "What becomes of the connections that a host has when it goes down.",
        ),
        of(
            ProxyGroup,
            "maxQueue",
            kinds.Whole(0, 1_000_000, zero="none"),
            "How many clients wait while every host is full. They are served in the order in "
            "which they came.",
        ),
        of(
            ProxyGroup,
            "queueTimeout",
            kinds.Seconds(0.01, 3600),
            "How long one of them waits, within the service's ``dialTimeout``.",
        ),
        of(
            ProxyGroup,
            "maxPending",
            kinds.Whole(0, 1_000_000, zero="no limit"),
            "How many connections to one host are being opened at once. With so many its circuit "
            "opens: it gets none until half of them are through.",
        ),
        of(
            ProxyGroup,
            "backup",
            kinds.Boolean(),
            "Whether the group gets the connections while the enabled one has fewer than "
            "``minimumUp`` hosts up.",
        ),
        of(
            ProxyGroup,
            "minimumUp",
            kinds.Whole(1, 10_000),
            "With fewer hosts up than this the backup is used.",
        ),
        of(
            ProxyGroup,
            "holdDown",
            kinds.Seconds(0, 86400, zero="at once"),
            "How long enough hosts have to be up again before the backup is left.",
        ),
        of(
            ProxyGroup,
            "boundedLoad",
            kinds.Factor(*BOUNDED_LOAD),
            "With the schedulers ``sticky`` and ``maglev``: how many times its fair share of the "
            "connections a host may have before its clients go on to the next. HAProxy's "
            "hash-balance-factor of 125 is 1.25.",
        ),
        of(
            ProxyGroup,
            "choices",
            kinds.Whole(2, MAX_CHOICES),
            "With the schedulers ``p2c`` and ``ewma``: how many hosts are drawn to choose the "
            "best of.",
        ),
        of(
            ProxyGroup,
            "decay",
            kinds.Seconds(*DECAY),
            "With the scheduler ``ewma``: in how long a host's average time comes down to about "
            "a third when it is not used.",
        ),
        of(
            ProxyGroup,
            "slowStart",
            kinds.Seconds(0, 3600, zero="off"),
            "Over how long the weight of a host grows, from near nothing to all of it, when it "
            "is added to a running balancer or comes back.",
        ),
    ),
    (Child(CHECK, 0, 1), Child(RESOURCE, 0, 1), Child(HOST)),
)
