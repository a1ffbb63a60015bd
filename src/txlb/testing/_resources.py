"""
The tests that every resource probe has to pass, for one's own probes.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError
from zope.interface.verify import verifyObject

from txlb.interfaces import IResourceProbe
from txlb.resources import ProbeTarget
from txlb.testing._streams import FarHost, Stream, until

#: More than any probe has to read of an answer, in bytes.
PLENTY = 4 << 20


class ResourceProbeContract:
    """
    The tests that every resource probe passes. Derive from it and from
    L{twisted.trial.unittest.TestCase}, and implement C{makeProbe} and C{say}, the answer
    of a host::

        class MyProbeTests(ResourceProbeContract, TestCase):
            def makeProbe(self, reactor):
                return MyProbe({"word": "LOAD?"}, reactor)

            async def say(self, stream, available):
                await stream.expect(b"LOAD?")
                await stream.writeAll(b"%f" % available)

    They run on the loopback, under the reactor that trial uses.
    """

    def makeProbe(self, reactor: Any) -> IResourceProbe:
        """
        Make the probe under test.
        """
        raise NotImplementedError("implement makeProbe")

    async def say(self, stream: Stream, available: float) -> None:
        """
        Report on a connection of the probe the share that a host has left.
        """
        raise NotImplementedError("implement say")

    def setUp(self: Any) -> None:
        """
        Make a probe, and a host that the test plays.
        """
        # Picked up now, because trial chooses it.
        from twisted.internet import reactor  # noqa: PLC0415

        self.reactor = reactor
        self.probe = self.makeProbe(reactor)
        self.host = FarHost(reactor)
        self.addCleanup(self.host.close)

    def target(self: Any) -> ProbeTarget:
        """
        Return the target: the host that the test plays.
        """
        address = self.host.configured("host").address
        return ProbeTarget(("service", "group", "host"), address, 10, 5.0)

    async def found(self: Any, available: float) -> float | None:
        """
        Return the probe's result if the host reports a share.
        """
        asked = self.probe.probe(self.target())
        stream = await self.host.accept()
        self.addCleanup(stream.close)
        await self.say(stream, available)
        await until(self.reactor, lambda: asked.called, "what the probe finds")
        stream.close()
        result: float | None = await asked
        return result

    async def failed(self: Any, asked: Any) -> None:
        """
        Test that a probe fails.
        """
        await until(self.reactor, lambda: asked.called, "the end of the probe")
        try:
            await asked
        except Exception as error:  # noqa: BLE001 - any will do, if it can be told
            self.assertTrue(str(error) or type(error).__name__)
        else:
            self.fail("it found something out")

    def test_interface(self: Any) -> None:
        """
        A probe provides its interface.
        """
        self.assertTrue(verifyObject(IResourceProbe, self.probe))

    async def test_says(self: Any) -> None:
        """
        The probe returns the share that the host reports, several times.
        """
        for available in (0.5, 0.0, 1.0, 0.25):
            found = await self.found(available)
            self.assertAlmostEqual(found, available, 2)

    async def test_refused(self: Any) -> None:
        """
        The probe fails if the host refuses connections.
        """
        target = self.target()
        self.host.close()
        await self.failed(self.probe.probe(target))

    async def test_closed(self: Any) -> None:
        """
        The probe fails if the host closes without an answer.
        """
        asked = self.probe.probe(self.target())
        stream = await self.host.accept()
        stream.close()
        await self.failed(asked)

    async def test_cancelled(self: Any) -> None:
        """
        If it is cancelled while the host sends nothing, a probe closes its connection
        at once.
        """
        asked = self.probe.probe(self.target())
        asked.addErrback(lambda reason: reason.trap(CancelledError, Exception) and None)
        stream = await self.host.accept()
        self.addCleanup(stream.close)
        asked.cancel()

        def gone() -> bool:
            stream.read()
            return bool(stream.ended or stream.wasReset)

        await until(self.reactor, gone, "the end of the cancelled probe")

    async def test_endless(self: Any) -> None:
        """
        A probe does not read an endless answer for ever.
        """
        asked = self.probe.probe(self.target())
        stream = await self.host.accept()
        self.addCleanup(stream.close)
        sent = 0

        def enough() -> bool:
            nonlocal sent
            sent += stream.write(b"x" * 65536)
            return bool(asked.called or sent > PLENTY)

        await until(self.reactor, enough, "the end of the probe")
        await self.failed(asked)
