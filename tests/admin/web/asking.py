"""
A console without sockets, and clients that send it bytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from tests.admin.fakes import quickChecks, quickHash
from tests.admin.targets import FakeBalancer
from txlb.admin._newtoken import hashToken
from txlb.admin.login import Logins
from txlb.admin.web._console import Console
from txlb.admin.web._resource import WebResource
from txlb.admin.web._site import WebSite
from txlb.config import AdminToken, AdminUser

#: A user and a token for each access.
ACCESSES = ("readonly", "operator", "full")
TOKENS = {access: f"txlb_{access}" for access in ACCESSES}
USERS = tuple(AdminUser(access, quickHash("secret"), access=access) for access in ACCESSES)


class ClientTransport(StringTransport):
    """
    The end of a connection that the console has.

    @ivar gone: whether the console has closed it.
    """

    gone = False

    def loseConnection(self) -> None:
        self.gone = self.disconnecting = True

    def abortConnection(self) -> None:
        self.gone = True


@dataclass(frozen=True)
class Answer:
    """
    An answer.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def detail(self) -> str:
        """
        The sentence of a problem.
        """
        assert self.headers["content-type"] == "application/problem+json", self
        assert self.json["status"] == self.status, self
        return str(self.json["detail"])


def parsed(data: bytes) -> Answer:
    """
    Read one answer.
    """
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    headers: dict[str, str] = {}
    for line in lines[1:]:
        name, _, value = line.partition(": ")
        headers[name.lower()] = value
    if headers.get("transfer-encoding") == "chunked":
        body = b"".join(_chunks(body))
    return Answer(int(lines[0].split(" ")[1]), headers, body)


def _chunks(body: bytes) -> Iterable[bytes]:
    while body:
        size, _, rest = body.partition(b"\r\n")
        length = int(size, 16)
        yield rest[:length]
        body = rest[length + 2 :]


class Client:
    """
    A client.

    @ivar transport: its connection.
    """

    def __init__(self, case: ConsoleCase, peer: str = "127.0.0.1") -> None:
        self._case = case
        self.transport = ClientTransport(
            IPv4Address("TCP", "127.0.0.1", 8081), IPv4Address("TCP", peer, 5000)
        )
        self.channel = case.site.buildProtocol(self.transport.getPeer())
        if self.channel is None:
            self.transport.gone = True
        else:
            self.channel.makeConnection(self.transport)

    def send(self, data: bytes) -> None:
        self.channel.dataReceived(data)

    def leave(self) -> None:
        """
        Close the connection.
        """
        self.channel.connectionLost(Failure(ConnectionDone()))

    def take(self) -> bytes:
        """
        Take the bytes that were answered since the last time.
        """
        self._case.turn()
        data = self.transport.value()
        self.transport.clear()
        return bytes(data)


class ConsoleCase(SynchronousTestCase):
    """
    A console with a user and a token for each access.
    """

    hosts = 2
    hostNames: tuple[str, ...] = ()
    openMetrics = False

    def setUp(self) -> None:
        self.clock = Clock()
        self.balancer: Any = self.makeBalancer()
        self.checks = quickChecks()
        self.logins = self.makeLogins()
        self.console = Console(
            self.balancer,
            self.balancer.configuration,
            self.logins,
            self.clock,
            tokens=[AdminToken(name, hashToken(text), name) for name, text in TOKENS.items()],
            hostNames=self.hostNames,
            refresh=2.0,
            openMetrics=self.openMetrics,
            seconds=self.clock.seconds,
        )
        self.site: Any = WebSite(WebResource(self.console), self.clock, self.console.deadlines)
        self.addCleanup(self.console.stop)

    def makeBalancer(self) -> Any:
        return FakeBalancer(self.hosts)

    def makeLogins(self) -> Logins:
        return Logins(USERS, seconds=self.clock.seconds, checks=self.checks)

    def turn(self, times: int = 200, seconds: float = 0.002) -> None:
        """
        Let the work be done that there is.
        """
        for _ in range(times):
            self.clock.advance(seconds)

    def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        token: str | None = "full",
        host: str = "127.0.0.1:8081",
        headers: Mapping[str, str] | None = None,
        peer: str = "127.0.0.1",
    ) -> Answer:
        """
        Send a request on a connection of its own.

        @param token: the access of the token; L{None} for none.
        @param peer: the address of the client.
        """
        lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", "Connection: close"]
        if token is not None:
            lines.append(f"Authorization: Bearer {TOKENS[token]}")
        data = b""
        if body is not None:
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            lines.append(f"Content-Length: {len(data)}")
            if "Content-Type" not in (headers or {}):
                lines.append("Content-Type: application/json")
        lines += [f"{name}: {value}" for name, value in (headers or {}).items() if value]
        client = Client(self, peer)
        client.send("\r\n".join([*lines, "", ""]).encode() + data)
        answer = parsed(client.take())
        client.leave()
        return answer

    def logIn(
        self,
        user: str = "full",
        password: str = "secret",
        cookie: str = "",
        peer: str = "127.0.0.1",
    ) -> Answer:
        """
        Log in with a password.
        """
        headers = {"Cookie": cookie} if cookie else {}
        body = {"user": user, "password": password}
        return self.ask("POST", "/api/v1/login", body, token=None, headers=headers, peer=peer)

    def cookieOf(self, answer: Answer) -> str:
        """
        Return the cookie that an answer sets.
        """
        return answer.headers["set-cookie"].partition(";")[0]
