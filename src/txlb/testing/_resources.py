"""
What every resource probe has to keep to, as tests to be run on one's own.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError
from zope.interface.verify import verifyObject

from txlb.interfaces import IResourceProbe
from txlb.resources import ProbeTarget
from txlb.testing._streams import FarHost, Stream, until

#: More than any probe has to take of an answer, in bytes.
PLENTY = 4 << 20


class ResourceProbeContract:
    """
    The tests that every resource probe passes. Derive from it and from
    L{twisted.trial.unittest.TestCase}, and say how to make one and how a host
    answers::

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
        Make the probe that is tested.
        """
        raise NotImplementedError("say how to make the probe that is tested")

    async def say(self, stream: Stream, available: float) -> None:
        """
        Say on a connection of the probe's what a host has left.
        """
        raise NotImplementedError("say how a host answers")

    def setUp(self: Any) -> None:
        """
        A probe, and a host that the test plays.
        """
        # Picked up now, as trial chooses it.
        from twisted.internet import reactor  # noqa: PLC0415

        self.reactor = reactor
        self.probe = self.makeProbe(reactor)
        self.host = FarHost(reactor)
        self.addCleanup(self.host.close)

    def target(self: Any) -> ProbeTarget:
        """
        The host that the test plays.
        """
        address = self.host.configured("host").address
        return ProbeTarget(("service", "group", "host"), address, 10, 5.0)

    async def found(self: Any, available: float) -> float | None:
        """
        What the probe finds where a host says what it has left.
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
        See that a probe fails.
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
        It is a probe.
        """
        self.assertTrue(verifyObject(IResourceProbe, self.probe))

    async def test_says(self: Any) -> None:
        """
        It finds what the host says, again and again.
        """
        for available in (0.5, 0.0, 1.0, 0.25):
            found = await self.found(available)
            self.assertAlmostEqual(found, available, 2)

    async def test_refused(self: Any) -> None:
        """
        Where nobody listens it fails.
        """
        target = self.target()
        self.host.close()
        await self.failed(self.probe.probe(target))

    async def test_closed(self: Any) -> None:
        """
        It fails where the host closes without an answer.
        """
        asked = self.probe.probe(self.target())
        stream = await self.host.accept()
        stream.close()
        await self.failed(asked)

    async def test_cancelled(self: Any) -> None:
        """
        Cancelled while the host says nothing, it lets go of it at once.
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
        A host that talks for ever is not listened to for ever.
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
