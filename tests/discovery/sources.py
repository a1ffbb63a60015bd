"""
A source of hosts that a test plays.
"""

from __future__ import annotations

from typing import Any, ClassVar

from zope.interface import implementer

from txlb.discovery import SourceKind, SourceTools
from txlb.errors import ModelError
from txlb.interfaces import IFindings, IHostSource
from txlb.model.kinds import Text
from txlb.model.options import Option


@implementer(IHostSource)
class FakeSource:
    """
    Finds what the test says.
    """

    started: ClassVar[list[FakeSource]] = []

    def __init__(self, options: Any, tools: SourceTools) -> None:
        if options["label"] == "bad":
            raise ModelError("label is bad")
        self.origin = f"fake:{options['label']}"
        self.tools = tools
        self.findings: IFindings | None = None

    def start(self, findings: IFindings) -> None:
        self.findings = findings
        self.started.append(self)

    def stop(self) -> None:
        self.findings = None


FAKE = SourceKind(
    "fake",
    "It is for tests.",
    FakeSource,
    (Option("label", Text("[a-z]+", "a word"), "Its label.", "x"),),
)
