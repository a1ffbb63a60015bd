"""
The element of health checks.
"""

from __future__ import annotations

from txlb.config import _kinds as kinds
from txlb.config._attributes import WEEK, of
from txlb.config._elements import Attribute, Element, Since, defaultOf
from txlb.config._words import CHECKS, Word
from txlb.model import HealthCheck

CHECK = Element(
    "check",
    "How hosts are checked: in a group all of its hosts, in a host that one alone. Without it they "
    "are checked only where ``<heartbeat>`` or ``<hostCheck>`` says so.",
    (
        Attribute(
            "type",
            Word(CHECKS),
            "What is done. Each kind has attributes of its own; see below.",
            defaultOf(HealthCheck, "kind"),
        ),
        of(
            HealthCheck,
            "interval",
            kinds.Seconds(0.01, WEEK),
            "Seconds from one check to the next at most; about a twentieth less on average.",
        ),
        of(
            HealthCheck,
            "timeout",
            kinds.Seconds(0.01, WEEK),
            "Seconds that one check has, at most the interval.",
            defaultDoc="the interval, at most 5 s",
        ),
        of(
            HealthCheck,
            "rise",
            kinds.Whole(1, 100),
            "Successes in a row that put a host in that was down.",
        ),
        of(
            HealthCheck,
            "fall",
            kinds.Whole(1, 100),
            "Failures in a row that put a host out that was up.",
        ),
        of(
            HealthCheck,
            "fastInterval",
            kinds.Seconds(0.01, WEEK),
            "The interval while a host goes up or down, or was not checked yet.",
            defaultDoc="the interval",
        ),
        of(
            HealthCheck,
            "downInterval",
            kinds.Seconds(0.01, WEEK),
            "The interval while a host is down.",
            defaultDoc="the interval",
        ),
        of(
            HealthCheck,
            "port",
            kinds.Whole(1, 65535),
            "Where to check. No PROXY header is said there. A host that is a UNIX socket has no "
            "ports, and is checked at its socket.",
            defaultDoc="where the traffic goes",
        ),
        of(
            HealthCheck,
            "onlyDown",
            kinds.Boolean(),
            "Whether hosts that are up are left alone, until traffic puts one out.",
        ),
    ),
    since=Since.NEW,
    by="type",
    variants=CHECKS.variants,
)
