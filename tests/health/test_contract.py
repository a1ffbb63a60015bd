"""
Every check of txlb's own keeps the contract.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Mapping
from pathlib import Path

from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from tests.health.certificates import Certificates
from txlb.health import Target, Tools, Verdict, makeCheck
from txlb.interfaces import IHealthCheck
from txlb.model import HealthCheck
from txlb.testing import HealthCheckContract, Stream


class TCPTests(HealthCheckContract, TestCase):
    """
    C{tcp}.
    """

    needsAnswer = False

    def makeCheck(self, tools: Tools) -> IHealthCheck:
        """
        See L{HealthCheckContract.makeCheck}.
        """
        return makeCheck(HealthCheck("tcp"), tools)

    async def beWell(self, stream: Stream) -> None:
        """
        See L{HealthCheckContract.beWell}.
        """


class HTTPTests(HealthCheckContract, TestCase):
    """
    C{http}.
    """

    options: Mapping[str, object] = {"path": "/health", "contains": "fine"}

    def makeCheck(self, tools: Tools) -> IHealthCheck:
        """
        See L{HealthCheckContract.makeCheck}.
        """
        return makeCheck(HealthCheck("http", options=self.options), tools)

    async def beWell(self, stream: Stream) -> None:
        """
        See L{HealthCheckContract.beWell}.
        """
        await stream.expect(
            b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: txlb\r\n"
            b"Accept: */*\r\nConnection: close\r\n\r\n"
        )
        await stream.writeAll(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine")


class ExpectTests(HealthCheckContract, TestCase):
    """
    C{expect}.
    """

    def makeCheck(self, tools: Tools) -> IHealthCheck:
        """
        See L{HealthCheckContract.makeCheck}.
        """
        options = {"send": r"PING\r\n", "expect": "+PONG"}
        return makeCheck(HealthCheck("expect", options=options), tools)

    async def beWell(self, stream: Stream) -> None:
        """
        See L{HealthCheckContract.beWell}.
        """
        await stream.expect(b"PING\r\n")
        await stream.writeAll(b"+PO")
        await stream.writeAll(b"NG\r\n")


class AgentTests(HealthCheckContract, TestCase):
    """
    C{agent}.
    """

    unreachable = None
    saysHeader = False

    def makeCheck(self, tools: Tools) -> IHealthCheck:
        """
        See L{HealthCheckContract.makeCheck}.
        """
        return makeCheck(HealthCheck("agent", options={"send": r"how are you?\n"}), tools)

    async def beWell(self, stream: Stream) -> None:
        """
        See L{HealthCheckContract.beWell}.
        """
        await stream.expect(b"how are you?\n")
        await stream.writeAll(b"up 75%\n")


class TLSTests(HealthCheckContract, TestCase):
    """
    C{tls}, with an end that speaks TLS in memory.
    """

    def makeCheck(self, tools: Tools) -> IHealthCheck:
        """
        See L{HealthCheckContract.makeCheck}.
        """
        self.certificates = Certificates(Path(self.mktemp()))
        options = {"caFile": str(self.certificates.authority), "serverName": "right.example"}
        return makeCheck(HealthCheck("tls", options=options), tools)

    async def beWell(self, stream: Stream) -> None:
        """
        See L{HealthCheckContract.beWell}.
        """
        await self.certificates.handshake(self.reactor, stream, "right.example")


class PythonTests(HealthCheckContract, TestCase):
    """
    C{python}, with a function that connects.
    """

    def makeCheck(self, tools: Tools) -> IHealthCheck:
        """
        See L{HealthCheckContract.makeCheck}.
        """
        inner = makeCheck(HealthCheck("expect", options={"expect": "well"}), tools)

        def call(target: Target) -> Deferred[Verdict]:
            return inner.check(target)

        return makeCheck(HealthCheck("python", options={"call": call}), tools)

    async def beWell(self, stream: Stream) -> None:
        """
        See L{HealthCheckContract.beWell}.
        """
        await stream.writeAll(b"I am well")


CLIENT = """
import os, socket, sys
with socket.create_connection((os.environ["TXLB_HOST"], int(os.environ["TXLB_PORT"]))) as sock:
    print(sock.recv(4))
    sys.exit(sock.recv(4) != b"well")
"""


class ScriptTests(HealthCheckContract, TestCase):
    """
    C{script}, with a program that connects.
    """

    saysHeader = False

    def makeCheck(self, tools: Tools) -> IHealthCheck:
        """
        See L{HealthCheckContract.makeCheck}.
        """
        path = Path(self.mktemp()).resolve()
        path.write_text(CLIENT, encoding="ascii")
        options = {"program": sys.executable, "arguments": f"-S -E {path}"}
        return makeCheck(HealthCheck("script", options=options), tools)

    async def beWell(self, stream: Stream) -> None:
        """
        See L{HealthCheckContract.beWell}.
        """
        await stream.writeAll(b"all ")
        stream.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await stream.writeAll(b"well")
