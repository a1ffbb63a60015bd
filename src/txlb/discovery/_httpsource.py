"""
Hosts from a document that a server has.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zope.interface import implementer

from txlb.discovery._polleddocument import PolledDocument
from txlb.discovery._sourcekind import SourceTools
from txlb.interfaces import IFindings, IHostSource


@implementer(IHostSource)
class HTTPSource:
    """
    The hosts of one group from a document that a server has. Groups that name the same document
    share it.

    @param options: the values of all options.
    @param tools: the objects that sources are made with.
    """

    def __init__(self, options: Mapping[str, Any], tools: SourceTools) -> None:
        # What follows a question mark may be a secret.
        self.origin = f"http:{options['url'].partition('?')[0]}"[:255]
        self._options = options
        self._tools = tools
        self._findings: IFindings | None = None

    @property
    def _key(self) -> tuple[str, object]:
        return "http", tuple(sorted(self._options.items()))

    def start(self, findings: IFindings) -> None:
        """
        Begin to ask for the document.
        """
        shared = self._tools.shared
        document = shared.get(self._key)
        if document is None:
            document = shared[self._key] = PolledDocument(self._options, self._tools)
        self._findings = findings
        document.watch(findings, self._tools.place)

    def stop(self) -> None:
        """
        Ask for it no more.
        """
        findings, self._findings = self._findings, None
        document = self._tools.shared.get(self._key)
        if findings is not None and document is not None:
            document.leave(findings)
            if not document:
                del self._tools.shared[self._key]
