"""
The element of resource probes.
"""

from __future__ import annotations

from txlb.config import _kinds as kinds
from txlb.config._attributes import DAY, of
from txlb.config._elements import Attribute, Element, Since, defaultOf
from txlb.config._words import PROBES, Word
from txlb.model import ResourceProbe

RESOURCE = Element(
    "resource",
    "How it is found out what the hosts of a group have left. Their weights follow it, under every "
    "scheduler that weighs; ``resource`` is the one that is made for it. A host that was not heard "
    "of for three intervals has its configured weight.",
    (
        Attribute(
            "probe",
            Word(PROBES),
            "What is done. Each kind has attributes of its own; see below.",
            defaultOf(ResourceProbe, "probe"),
        ),
        of(
            ResourceProbe,
            "interval",
            kinds.Seconds(0.1, DAY),
            "Seconds from one probe to the next; a tenth more or less.",
        ),
        of(
            ResourceProbe,
            "timeout",
            kinds.Seconds(0.01, DAY),
            "Seconds that one probe has, at most the interval.",
            defaultDoc="the interval, at most 1 s",
        ),
        of(
            ResourceProbe,
            "smoothing",
            kinds.Number(0.001, 1.0),
            "The share that the newest answer has in the average; 1 is for no smoothing.",
        ),
        of(
            ResourceProbe,
            "port",
            kinds.Whole(1, 65535),
            "Where to ask. A host that is a UNIX socket is asked on 127.0.0.1.",
            defaultDoc="where the traffic goes",
        ),
    ),
    since=Since.NEW,
    by="probe",
    variants=PROBES.variants,
)
