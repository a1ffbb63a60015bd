"""
Hosts from messages.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zope.interface import implementer

from txlb.discovery._sourcekind import SourceTools
from txlb.discovery._stompfeed import StompFeed
from txlb.interfaces import IFindings, IHostSource


@implementer(IHostSource)
class StompSource:
    """
    The hosts of one group from the messages of hosts. Groups with the same options share a
    connection.

    @param options: the values of all options.
    @param tools: the objects that sources are made with.
    """

    def __init__(self, options: Mapping[str, Any], tools: SourceTools) -> None:
        self.origin = f"stomp:{options['destination']}"[:255]
        self._options = options
        self._tools = tools
        self._findings: IFindings | None = None

    @property
    def _key(self) -> tuple[str, object]:
        return "stomp", tuple(sorted(self._options.items()))

    def start(self, findings: IFindings) -> None:
        """
        Begin to listen to hosts.
        """
        tools = self._tools
        feed = tools.shared.get(self._key)
        if feed is None:
            feed = tools.shared[self._key] = StompFeed(self._options, tools)
        self._findings = findings
        feed.watch(findings, tools.place)

    def stop(self) -> None:
        """
        Listen no more.
        """
        findings, self._findings = self._findings, None
        feed = self._tools.shared.get(self._key)
        if findings is not None and feed is not None:
            feed.leave(findings)
            if not feed:
                del self._tools.shared[self._key]
