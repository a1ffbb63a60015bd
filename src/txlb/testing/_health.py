"""
The tests that every health check has to pass, for one's own checks.
"""

from __future__ import annotations

import os
import time
from collections.abc import Awaitable, Callable
from typing import Any

from twisted.internet.defer import Deferred
from zope.interface.verify import verifyObject

from txlb.deadlines import Deadlines
from txlb.health import Sockets, Target, Tools, Verdict
from txlb.interfaces import IHealthCheck
from txlb.testing._streams import FarHost, Stream, until

#: The longest reason for a log, in characters.
MAX_DETAIL = 1000

#: More than any check has to read of an answer, in bytes.
PLENTY = 4 << 20


class HealthCheckContract:
    """
    The tests that every health check passes. Derive from it and from
    L{twisted.trial.unittest.TestCase}, and implement C{makeCheck} and C{beWell}, the
    behaviour of a healthy host::

        class MyCheckTests(HealthCheckContract, TestCase):
            def makeCheck(self, tools):
                return MyCheck({"word": "PING"}, tools)

            async def beWell(self, stream):
                await stream.expect(b"PING")
                await stream.writeAll(b"PONG")

    They run on the loopback, under the reactor that trial uses.

    @cvar needsAnswer: whether a host has to answer to pass, and not only to accept.
    @cvar unreachable: the result of a check for a host that can't be reached.
    @cvar saysHeader: whether the check sends the PROXY header that it is given.
    """

    needsAnswer = True
    unreachable: bool | None = False
    saysHeader = True

    def makeCheck(self, tools: Tools) -> IHealthCheck:
        """
        Make the check under test.
        """
        raise NotImplementedError("implement makeCheck")

    async def beWell(self, stream: Stream) -> None:
        """
        Behave as a healthy host on a connection of the check.
        """
        raise NotImplementedError("implement beWell")

    def setUp(self: Any) -> None:
        """
        Make a check, and a host that the test plays.
        """
        # Picked up now, because trial chooses it.
        from twisted.internet import reactor  # noqa: PLC0415

        self.reactor = reactor
        self.deadlines = Deadlines(reactor, time.monotonic)
        self.addCleanup(self.deadlines.stop)
        self.sockets = Sockets(reactor, deadlines=self.deadlines)
        self.addCleanup(self.sockets.stop)
        self.healthCheck = self.makeCheck(Tools(reactor, self.deadlines, self.sockets))
        self.host = FarHost(reactor)
        self.addCleanup(self.host.close)

    def target(self: Any, host: FarHost | None = None, header: bytes = b"") -> Target:
        """
        Return a target for the check; by default the host that the test plays.
        """
        configured = (host or self.host).configured("host")
        address = configured.address
        return Target(("service", "group", "host"), address, configured.ipOrHost, 5.0, header)

    async def checked(
        self: Any, play: Callable[[Stream], Awaitable[object]] | None = None, header: bytes = b""
    ) -> Verdict:
        """
        Run the check while the test plays the host.

        @param play: acts as the host on the connection, and the host closes it
            afterwards; by default the host only closes it.
        """
        found = self.healthCheck.check(self.target(header=header))
        stream = await self.host.accept()
        self.addCleanup(stream.close)
        if play is not None:
            await play(stream)
        verdict: Verdict = await self.verdict(found, stream)
        return verdict

    async def verdict(self: Any, found: Deferred[Verdict], stream: Stream | None = None) -> Verdict:
        """
        Return the verdict of a check, after testing that its reason is readable.

        @param stream: the host's end; it is closed, so that the check does not wait for
            more.
        """
        if stream is not None:
            await until(self.reactor, lambda: found.called or _drained(stream), "the check's bytes")
            if not found.called:
                stream.close()
        verdict: Verdict = await found
        self.assertIsInstance(verdict, Verdict)
        self.assertTrue(verdict.detail)
        self.assertTrue(verdict.detail.isprintable(), verdict.detail)
        self.assertLessEqual(len(verdict.detail), MAX_DETAIL)
        return verdict

    # The tests

    def test_interface(self: Any) -> None:
        """
        A check provides its interface.
        """
        self.assertTrue(verifyObject(IHealthCheck, self.healthCheck))

    async def test_well(self: Any) -> None:
        """
        A healthy host passes, several times, and the check leaves no object behind.
        """
        for _ in range(2):
            # The first check may open files that stay open.
            self.assertIs((await self.checked(self.beWell)).passed, True)
        before = _descriptors()
        for _ in range(5):
            verdict = await self.checked(self.beWell)
            self.assertIs(verdict.passed, True, verdict.detail)
        # Our ends are closed at the end of the test.
        self.assertLessEqual(_descriptors(), before + 5)

    async def test_header(self: Any) -> None:
        """
        The check sends the PROXY header before anything else.
        """
        header = b"PROXY UNKNOWN\r\n"

        async def play(stream: Stream) -> None:
            def came() -> bool:
                stream.read()
                return len(stream.received) >= len(header) or stream.ended

            await until(self.reactor, came, "what the check says first")
            self.assertTrue(bytes(stream.received).startswith(header), stream.received)
            del stream.received[: len(header)]
            await self.beWell(stream)

        if self.needsAnswer and self.saysHeader:
            self.assertIs((await self.checked(play, header)).passed, True)

    async def test_refused(self: Any) -> None:
        """
        A host that refuses connections does not pass.
        """
        target = self.target()
        self.host.close()
        verdict = await self.verdict(self.healthCheck.check(target))
        self.assertIs(verdict.passed, self.unreachable, verdict.detail)

    async def test_reset(self: Any) -> None:
        """
        A host that accepts and resets does not pass.
        """
        if self.needsAnswer:

            async def play(stream: Stream) -> None:
                stream.reset()

            self.assertIsNot((await self.checked(play)).passed, True)

    async def test_closed(self: Any) -> None:
        """
        A host that accepts and closes without an answer does not pass.
        """
        if self.needsAnswer:
            self.assertIsNot((await self.checked()).passed, True)

    async def test_silent(self: Any) -> None:
        """
        If it is cancelled while the host sends nothing, a check closes its connection
        at once.
        """
        if self.needsAnswer:
            found = self.healthCheck.check(self.target())
            stream = await self.host.accept()
            self.addCleanup(stream.close)
            found.cancel()
            self.assertTrue(found.called)
            self.assertIsNot((await self.verdict(found)).passed, True)

            def gone() -> bool:
                stream.read()
                return bool(stream.ended or stream.wasReset)

            await until(self.reactor, gone, "the end of the cancelled check")

    async def test_endless(self: Any) -> None:
        """
        A check does not read an endless answer for ever.
        """
        if self.needsAnswer:
            found = self.healthCheck.check(self.target())
            stream = await self.host.accept()
            self.addCleanup(stream.close)
            sent = 0

            def enough() -> bool:
                nonlocal sent
                sent += stream.write(b"x" * 65536)
                return bool(found.called or sent > PLENTY)

            await until(self.reactor, enough, "the end of the check")
            self.assertTrue(found.called, f"{sent} bytes were not enough")
            self.assertIsNot((await self.verdict(found)).passed, True)


def _drained(stream: Stream) -> bool:
    """
    Tell whether the bytes of the check were read, so that closing is no reset.
    """
    if stream.sock.fileno() < 0:
        return True
    before = len(stream.received)
    stream.read()
    return len(stream.received) == before


def _descriptors() -> int:
    return len(os.listdir("/dev/fd"))
