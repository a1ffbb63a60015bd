"""
Messages of hosts, for one group or more.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from functools import partial
from typing import Any

from twisted.logger import Logger

from txlb.clients import StompClient, StompSettings, longestReturn
from txlb.deadlines import Deadline
from txlb.discovery._entries import (
    MAX_MESSAGE,
    DocumentError,
    GroupedEntries,
    Place,
    entriesOf,
    loadDocument,
)
from txlb.discovery._heardhosts import HeardHosts, namesOf
from txlb.discovery._optionfiles import credentialsIn, readFiles
from txlb.discovery._sourcekind import SourceTools
from txlb.errors import ModelError, shortened
from txlb.interfaces import IFindings
from txlb.model import shown
from txlb.model.kinds import Seconds
from txlb.wire import StompFrame

#: The owner of the options, for messages.
WHOSE = "the stomp source"

#: Seconds from a change to its report. What changes meanwhile is reported together.
SOON = 0.05

#: Seconds from a new load to its report.
LOADS = 1.0

#: Seconds from one look at silent hosts to the next.
LOOK = 0.5

#: Bytes that count for a message that has fewer.
SMALL = 256

#: Seconds from one such turn to the next.
PAUSE = 0.005

#: Messages that may wait to be read, and their bytes. What does not fit is passed over, as hosts
#: repeat their messages.
MAX_UNREAD = 10_000
MAX_UNREAD_BYTES = 2 * 1024 * 1024

#: The largest number of a message.
MAX_SEQUENCE = 2**63

#: Seconds for which a broker has to have been there, so that its hosts have their time anew.
GOOD = 5.0

_TTL = Seconds(0.0, 3600.0)

_log = Logger()


class StompFeed:
    """
    A subscription to messages of hosts, at each broker: a host tells one of them, and which one
    it finds is up to it. Each group that it has hosts for is a watcher of its own, and one
    connection to each broker is there for all of them.

    While there is no broker the hosts stay. When one is there again, hosts have to find it too,
    with pauses between their tries: so they have their time anew, and those of the process before
    this one the time to be heard. If one of several brokers goes, hosts have their time anew to
    find another one.

    Files of certificates and passwords are read before each connection, so that they may be
    replaced.

    @param options: the values of all options.
    @param tools: the objects that sources are made with; those of the first group.
    """

    def __init__(self, options: Mapping[str, Any], tools: SourceTools) -> None:
        self._options = options
        self._tools = tools
        self._deadlines = tools.deadlines
        self._destination: str = options["destination"]
        self._lifetime: float = options["lifetime"]
        self._settle: float = options["settle"]
        # Seconds that hosts need to find a broker that is back.
        self._return = longestReturn(len(options["url"]))
        self._watchers: dict[IFindings, _Watcher] = {}
        self._trouble = ""
        self._look: Deadline | None = None
        # Messages that wait to be read.
        self._unread: deque[bytes] = deque()
        self._unreadBytes = 0
        self._next: Deadline | None = None
        self._clients = [self._clientOf(url) for url in options["url"]]
        # Since when each broker is there, by its URL.
        self._upSince: dict[str, float] = {}
        # The brokers of which it was told that they are away.
        self._away: set[str] = set()

    def _clientOf(self, url: str) -> StompClient:
        client = StompClient(
            self._tools.reactor,
            partial(self._settings, url),
            self._deadlines,
            up=partial(self._up, url),
            down=partial(self._down, url),
        )
        client.subscribe(self._destination, self._heard)
        return client

    @property
    def _isUp(self) -> bool:
        return bool(self._upSince)

    def __bool__(self) -> bool:
        """
        Return whether a group watches it.
        """
        return bool(self._watchers)

    def watch(self, findings: IFindings, place: Place) -> None:
        """
        Watch it for a group.
        """
        first = not self._watchers
        watcher = self._watchers[findings] = _Watcher(findings, place)
        if first:
            for client in self._clients:
                client.start()
            self._look = self._deadlines.after(LOOK, self._lookAtSilence)
        elif self._isUp:
            self._reportIn(watcher, self._settle)
        elif self._trouble:
            findings.failed(self._trouble)

    def leave(self, findings: IFindings) -> None:
        """
        Watch it no more for a group.
        """
        watcher = self._watchers.pop(findings, None)
        if watcher is not None and watcher.soon is not None:
            watcher.soon.cancel()
        if not self._watchers:
            if self._look is not None:
                self._look.cancel()
                self._look = None
            if self._next is not None:
                self._next.cancel()
                self._next = None
            self._unread.clear()
            self._unreadBytes = 0
            self._upSince.clear()
            self._away.clear()
            for client in self._clients:
                client.stop()

    # The connection

    async def _settings(self, url: str) -> StompSettings:
        options, tools = self._options, self._tools
        files = await tools.worker.aside(readFiles, options, tools.folder, labelOf)
        return settingsOf({**options, "url": (url,)}, files)

    def _up(self, url: str) -> None:
        now, others = self._deadlines.seconds(), self._isUp
        self._upSince[url] = now
        self._away.discard(url)
        # At the first try all is well, and hosts are there already.
        wait = self._return if self._trouble else 0.0
        self._trouble = ""
        if others:
            return
        for watcher in self._watchers.values():
            watcher.heard.prolong(now, wait)
            self._reportIn(watcher, SOON if watcher.heard.hosts else self._settle + wait)

    def _down(self, url: str, reason: str) -> None:
        now = self._deadlines.seconds()
        since = self._upSince.pop(url, now)
        if self._isUp:
            self._oneIsDown(url, reason, now, since)
            return
        self._trouble = reason
        for watcher in list(self._watchers.values()):
            if watcher.soon is not None:
                watcher.soon.cancel()
                watcher.soon = None
            watcher.findings.failed(reason)

    def _oneIsDown(self, url: str, reason: str, now: float, since: float) -> None:
        """
        Go on with the other brokers.
        """
        if url not in self._away:
            self._away.add(url)
            _log.warn(
                "a broker of {destination} is away, and the others go on: {reason}",
                destination=self._destination,
                reason=reason,
            )
        # A broker that comes and goes all the time must not keep hosts that are gone.
        if now - since >= GOOD:
            for watcher in self._watchers.values():
                watcher.heard.prolong(now)

    # Messages

    def _heard(self, frame: StompFrame) -> None:
        body = frame.body
        if len(body) > MAX_MESSAGE:
            self._refuse(f"it has more than {MAX_MESSAGE} bytes")
        elif len(self._unread) >= MAX_UNREAD or self._unreadBytes + len(body) > MAX_UNREAD_BYTES:
            self._refuse("too many came at once")
        else:
            self._unread.append(body)
            self._unreadBytes += len(body)
            if self._next is None:
                self._next = self._deadlines.after(0.0, self._readSome)

    def _readSome(self) -> None:
        """
        Read some of the messages that wait, and the others in later turns of the reactor.
        """
        self._next = None
        # Some milliseconds of work.
        left = MAX_MESSAGE
        while self._unread and left > 0:
            body = self._unread.popleft()
            self._unreadBytes -= len(body)
            # A small one is work too.
            left -= max(len(body), SMALL)
            self._take(body)
        if self._unread:
            self._next = self._deadlines.after(PAUSE, self._readSome)

    def _refuse(self, why: str) -> None:
        now = self._deadlines.seconds()
        sentence = f"a message of {self._destination} is not used: {shortened(why, 100)}"
        for watcher in self._watchers.values():
            if watcher.heard.refuse(sentence, now):
                self._changed(watcher)

    def _take(self, body: bytes) -> None:
        now = self._deadlines.seconds()
        try:
            entries, ttl, sequence = self._read(body)
        except (DocumentError, ModelError) as error:
            self._refuse(str(error))
            return
        for watcher in self._watchers.values():
            found = entries.of(watcher.place)
            if watcher.heard.take(found, ttl, sequence, now):
                self._changed(watcher)
            elif watcher.heard.newLoads:
                self._changed(watcher, LOADS)

    def _read(self, body: bytes) -> tuple[GroupedEntries, float, int | None]:
        """
        Read a message.

        @raise DocumentError: it is no document of hosts.
        @raise ModelError: its C{ttl} or C{sequence} is wrong.
        """
        document = loadDocument(body)
        ttl, sequence = self._lifetime, None
        if isinstance(document, dict):
            ttl = float(_TTL.check(document.get("ttl", ttl), "ttl of a message"))
            sequence = document.get("sequence")
            if sequence is not None and not (
                type(sequence) is int and 0 <= sequence < MAX_SEQUENCE
            ):
                raise ModelError(f"sequence is {shown(sequence)}; it is a whole number from 0 on")
        entries = entriesOf(document)
        return GroupedEntries(entries, namesOf(entries)), ttl, sequence

    # Reports

    def _changed(self, watcher: _Watcher, seconds: float = SOON) -> None:
        """
        Report soon. The first hosts of a group wait for the others.
        """
        if watcher.soon is None and self._isUp:
            self._reportIn(watcher, seconds if watcher.reported else self._settle)

    def _reportIn(self, watcher: _Watcher, seconds: float) -> None:
        if watcher.soon is not None:
            watcher.soon.cancel()
        watcher.soon = self._deadlines.after(seconds, lambda: self._report(watcher))

    def _report(self, watcher: _Watcher) -> None:
        watcher.soon = None
        hosts = watcher.heard.hosts
        watcher.heard.newLoads = False
        watcher.reported = bool(hosts)
        watcher.findings.found(hosts, watcher.heard.wrong)

    def _lookAtSilence(self) -> None:
        self._look = self._deadlines.after(LOOK, self._lookAtSilence)
        if not self._isUp:
            return
        now = self._deadlines.seconds()
        for watcher in list(self._watchers.values()):
            if watcher.heard.expire(now):
                self._changed(watcher)


def labelOf(option: str) -> str:
    """
    Name an option for messages.
    """
    return f"{option} of {WHOSE}"


def settingsOf(options: Mapping[str, Any], files: Mapping[str, bytes]) -> StompSettings:
    """
    Make the settings of a client as options say.

    @param files: what L{readFiles} has read.
    @raise ModelError: something in a file can't be used.
    """
    try:
        return StompSettings(
            options["url"],
            user=options["user"] or "",
            virtualHost=options["virtualHost"],
            heartBeat=options["heartBeat"],
            **credentialsIn(files),
        )
    except ModelError as error:
        raise ModelError(f"{error}, of {WHOSE}") from None


class _Watcher:
    """
    A group that watches.

    @ivar findings: is told what is found.
    @ivar place: the names of the group.
    @ivar heard: its hosts.
    @ivar soon: the next report.
    @ivar reported: whether the last report had hosts.
    """

    def __init__(self, findings: IFindings, place: Place) -> None:
        self.findings = findings
        self.place = place
        self.heard = HeardHosts()
        self.soon: Deadline | None = None
        self.reported = False
