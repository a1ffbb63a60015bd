"""
A reader of the text formats of Prometheus, for tests: strict about what an answer must have.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

_SAMPLE = re.compile(
    r'([a-zA-Z_:][a-zA-Z0-9_:]*)(\{(?:[a-z_]+="(?:[^"\\\n]|\\[\\"n])*",?)*\})? (\S+)'
)
_LABEL = re.compile(r'([a-z_]+)="((?:[^"\\]|\\.)*)"')
_SUFFIXES = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}

Labels = tuple[tuple[str, str], ...]


@dataclass
class ReadFamily:
    name: str
    kind: str
    doc: str
    samples: dict[tuple[str, Labels], float] = field(default_factory=dict)


def readText(text: str, openMetrics: bool = False) -> Mapping[str, ReadFamily]:
    """
    Read metrics, and fail if anything is not as the format wants it.
    """
    families: dict[str, ReadFamily] = {}
    lines = text.split("\n")
    assert lines.pop() == "", "the last line does not end"
    if openMetrics:
        assert lines.pop() == "# EOF", "no end"
    helps: dict[str, str] = {}
    family: ReadFamily | None = None
    for line in lines:
        if line.startswith("# HELP "):
            _, _, name, doc = line.split(" ", 3)
            assert name not in helps, f"{name} comes twice"
            helps[name] = doc
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name in helps and name not in families, line
            assert openMetrics is False or not name.endswith("_total"), line
            family = families[name] = ReadFamily(name, kind, helps[name])
        else:
            assert family is not None, line
            match = _SAMPLE.fullmatch(line)
            assert match, line
            name, labels, value = match.groups()
            suffixes = _SUFFIXES[family.kind]
            if family.kind == "counter" and not openMetrics:
                suffixes = ("",)
            assert name in {family.name + each for each in suffixes}, line
            key = (name, tuple(_LABEL.findall(labels or "")))
            assert key not in family.samples, f"{line} comes twice"
            family.samples[key] = float(value)
    return families


def valuesOf(families: Mapping[str, ReadFamily], name: str) -> dict[Labels, float]:
    """
    Return the samples of a name, by their labels.
    """
    found = {}
    for family in families.values():
        for (sample, labels), value in family.samples.items():
            if sample == name:
                found[labels] = value
    return found
