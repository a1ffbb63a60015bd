"""
Hosts, and events, by messages through a real broker; L{tests.integration.brokers} tells which one.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import signal
import socket
import subprocess
import threading
from collections.abc import Callable
from typing import Any

from tests.certificates import Authority
from tests.integration.brokers import PASSWORD, USER, Broker, writeCertificates
from tests.integration.programs import PATIENCE, Program, environment, get, waitUntil
from tests.integration.support import IntegrationTestCase, askTxlb, freePorts
from tests.integration.support._case import TWISTD
from txlb.wire import StompFrame, StompReader, encodeStomp

HOSTS, EVENTS = "/topic/txlb.hosts", "/topic/txlb.events"

CONFIG = """\
<config>
  <service name="web">
    <listen ip="127.0.0.1:{listen}"/>
    <group name="production" scheduler="roundr" enable="yes">
      <discover from="stomp" url="{url}" destination="{hosts}" user="{user}" passwordFile="password"
                heartBeat="0.5" settle="1" {more}/>
    </group>
  </service>
  <control socket="{control}"/>
  <events to="stomp" url="{url}" destination="{events}" user="{user}" passwordFile="password"
          heartBeat="0.5" name="lb1" {more}/>
</config>
"""

#: An application that announces itself.
APP = """\
from pathlib import Path
from twisted.application import service, strports
from twisted.web import server, static
from txlb.discovery import StompAnnounceService

application = service.Application("app")
files = {{}}
if "+ssl" in "{url}":
    files = {{
        name: Path(path).read_bytes()
        for name, path in (("ca", "ca.pem"), ("clientCertificate", "own.pem"))
    }}
page = static.Data(b"{name}\\n", "text/plain")
page.putChild(b"", page)
strports.service("tcp:{port}:interface=127.0.0.1", server.Site(page)).setServiceParent(application)
StompAnnounceService(
    "{url}", "web", "production", "127.0.0.1:{port}", "{name}", ttl={ttl}, drainTime=0.5,
    user="{user}", password="{password}", **files,
).setServiceParent(application)
"""


class Peer:
    """
    A client that uses the codec and nothing else of txlb.
    """

    def __init__(self, case: Any, port: int, destination: str = "") -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), PATIENCE)
        case.addCleanup(self.socket.close)
        self.reader = StompReader()
        self.frames: list[StompFrame] = []
        self.numbers: list[int] = []
        self.send(
            "CONNECT", {"accept-version": "1.2", "host": "/", "login": USER, "passcode": PASSWORD}
        )
        self.await_("CONNECTED")
        if destination:
            self.send(
                "SUBSCRIBE", {"id": "1", "destination": destination, "ack": "auto", "receipt": "s"}
            )
            self.await_("RECEIPT")

    def send(self, command: str, headers: dict[str, str], body: bytes = b"") -> None:
        self.socket.sendall(encodeStomp(StompFrame(command, headers, body)))

    def publish(self, destination: str, body: bytes) -> None:
        self.send("SEND", {"destination": destination, "receipt": "p"}, body)
        self.await_("RECEIPT")

    def await_(self, command: str) -> StompFrame:
        """
        Wait for the next frame of a kind. Others are dropped.
        """
        while True:
            while self.frames:
                frame = self.frames.pop(0)
                if frame.command == command:
                    return frame
            data = self.socket.recv(65536)
            assert data, "the broker has closed"
            self.frames += self.reader.feed(data)

    def event(self, kind: str, name: str = "") -> Any:
        """
        Wait for an event.
        """
        while True:
            event = json.loads(self.await_("MESSAGE").body)
            self.numbers.append(event["number"])
            if event["kind"] == kind and (not name or event["key"][-1] == name):
                return event

    def hears(self, kind: str, name: str) -> bool:
        """
        Say whether an event comes within a second.
        """
        self.socket.settimeout(1.0)
        try:
            self.event(kind, name)
        except TimeoutError:
            return False
        finally:
            self.socket.settimeout(PATIENCE)
        return True


class SlowWay:
    """
    A way to a port that passes some bytes at a time, in both directions.

    @ivar port: where it begins.
    """

    def __init__(self, port: int) -> None:
        self._to = port
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self._sockets: list[socket.socket] = []
        self._closed = threading.Event()
        self._threads: list[threading.Thread] = []
        self._run(self._accept)

    def _run(self, function: Callable[..., object], *arguments: object) -> None:
        thread = threading.Thread(target=function, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._server.accept()
                far = socket.create_connection(("127.0.0.1", self._to), PATIENCE)
                self._sockets += [near, far]
                self._run(self._pass, near, far)
                self._run(self._pass, far, near)

    def _pass(self, one: socket.socket, other: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := one.recv(50):
                other.sendall(data)
                self._closed.wait(0.005)

    def close(self) -> None:
        self._closed.set()
        for each in (self._server, *self._sockets):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        for thread in self._threads:
            thread.join(PATIENCE)


class StompTests(IntegrationTestCase):
    """
    A balancer that finds its hosts by messages, and publishes what happens.
    """

    def setUp(self) -> None:
        super().setUp()
        (self.listen,) = freePorts(1)
        self.control = str(self.shortFolder() / "control")
        self.write("password", PASSWORD + "\n")

    def balancer(self, *urls: str, more: str = "") -> Program:
        return self.startTxlb(
            CONFIG.format(
                listen=self.listen,
                url=" ".join(urls),
                control=self.control,
                hosts=HOSTS,
                events=EVENTS,
                user=USER,
                more=more,
            )
        )

    def app(self, name: str, *urls: str, ttl: float = 2.0) -> Program:
        (port,) = freePorts(1)
        url = " ".join(urls)
        self.write(
            f"{name}.tac",
            APP.format(name=name, port=port, url=url, ttl=ttl, user=USER, password=PASSWORD),
        )
        return self.start(*TWISTD, "-ny", f"{name}.tac")

    def ask(self, *arguments: str) -> Any:
        return askTxlb(self.control, *arguments)

    def weigh(self, weight: int) -> None:
        command = ["txlb", "weight", "web/production/one", str(weight), "-s", self.control]
        subprocess.run(command, check=True, timeout=60, env=environment(), capture_output=True)

    def source(self) -> Any:
        (row,) = self.ask("discovery")
        return row

    def hosts(self) -> dict[str, str]:
        """
        The states of the hosts.
        """
        (group,) = self.ask("status")["services"][0]["groups"]
        return {each["name"]: each["state"] for each in group["hosts"]}

    def names(self) -> list[str]:
        return sorted(self.hosts())

    def test_follows(self) -> None:
        """
        Applications that announce themselves get clients. One that is stopped says drain first;
        one that is killed is gone after its time. Wrong messages change nothing. What happens is
        published, with each number once.
        """
        broker = Broker(self)
        peer = Peer(self, broker.port, EVENTS)
        apps = {name: self.app(name, broker.url) for name in ("one", "two", "three")}
        balancer = self.balancer(broker.url)
        waitUntil(lambda: self.names() == ["one", "three", "two"])
        self.assertEqual({get(self.listen) for _ in range(9)}, {"one\n", "two\n", "three\n"})
        first = peer.event("host-added", "one")
        self.assertEqual((first["from"], first["by"]), ("lb1", "discovery"))
        peer.publish(HOSTS, b"\0no JSON")
        peer.publish(HOSTS, b'{"hosts": [{"name": "bad", "address": "nowhere"}]}')
        waitUntil(lambda: len(self.source()["wrong"]) == 2)
        self.assertEqual(self.names(), ["one", "three", "two"])
        peer.event("entry-skipped")
        apps["three"].process.terminate()
        self.assertIn(apps["three"].process.wait(PATIENCE), {0, -signal.SIGTERM})
        waitUntil(lambda: self.names() == ["one", "two"])
        peer.event("host-state", "three")
        peer.event("host-removed", "three")
        apps["two"].stop(signal.SIGKILL)
        waitUntil(lambda: self.names() == ["one"])
        peer.event("host-removed", "two")
        self.assertEqual(get(self.listen), "one\n")
        self.weigh(7)
        peer.event("host-weight", "one")
        self.assertEqual(self.stopTwistd(balancer), 0)
        # Each event came once, in its order.
        self.assertEqual(peer.numbers, sorted(set(peer.numbers)))

    def test_brokersFail(self) -> None:
        """
        A broker that is silent is left for the next one, and so is one that is killed. While
        there is none the hosts stay and clients are served, also by a balancer that is started
        then. When one is back, all is as before, and nothing happens twice.
        """
        one, two = Broker(self), Broker(self)
        urls = one.url, two.url
        # The hosts have the time to find another broker on the slowest machine.
        self.app("one", *urls, ttl=30.0)
        self.app("two", *urls, ttl=30.0)
        balancer = self.balancer(*urls)
        waitUntil(lambda: self.names() == ["one", "two"])
        peer = Peer(self, two.port, EVENTS)
        one.pause()
        waitUntil(lambda: "and the others go on" in balancer.output)
        self.assertEqual(self.source()["trouble"], "")
        # Events go by way of the other broker, once it is known that this one is silent.
        weights = itertools.count(7)

        def published() -> bool:
            self.weigh(next(weights))
            return peer.hears("host-weight", "one")

        waitUntil(published)
        self.assertEqual(self.names(), ["one", "two"])
        one.goOn()
        one.kill()
        two.kill()
        waitUntil(lambda: self.source()["trouble"])
        self.assertEqual({get(self.listen) for _ in range(4)}, {"one\n", "two\n"})
        self.assertEqual(self.stopTwistd(balancer), 0)
        balancer = self.balancer(*urls)
        self.assertEqual(self.names(), ["one", "two"])
        self.assertEqual({get(self.listen) for _ in range(4)}, {"one\n", "two\n"})
        added = balancer.output.count("host-added")
        two.start()
        waitUntil(lambda: not self.source()["trouble"])
        self.assertEqual(self.names(), ["one", "two"])
        # They have never gone.
        self.assertNotIn("host-removed", balancer.output)
        self.assertEqual(balancer.output.count("host-added"), added)

    def test_slow(self) -> None:
        """
        Over a way that passes some bytes at a time all works, later.
        """
        broker = Broker(self)
        way = SlowWay(broker.port)
        self.addCleanup(way.close)
        peer = Peer(self, broker.port, EVENTS)
        self.app("one", broker.url)
        self.balancer(f"stomp://127.0.0.1:{way.port}")
        waitUntil(lambda: self.names() == ["one"])
        self.weigh(7)
        event = peer.event("host-weight", "one")
        self.assertEqual(event["details"], {"before": 1, "after": 7})
        self.assertEqual(get(self.listen), "one\n")

    def test_tls(self) -> None:
        """
        With TLS a broker has to have a certificate for its name, of an authority that is trusted,
        and gets one. The password does not go to any other. Hosts and events go that way.
        """
        writeCertificates(self.folder, Authority())
        right = (self.folder / "ca.pem").read_bytes()
        (self.folder / "trusted.pem").write_bytes(Authority("another").pem)
        broker = Broker(self, secure=True)
        own = 'clientCertificate="own.pem"'
        bare = self.balancer(broker.url, more='ca="ca.pem"')
        # TLS 1.3 tells it after the handshake, or closes the connection.
        waitUntil(lambda: self.source()["trouble"])
        self.assertEqual(self.stopTwistd(bare), 0)
        self.assertNotIn("are published", bare.output)
        balancer = self.balancer(broker.url, more=f'ca="trusted.pem" {own}')
        waitUntil(lambda: "certificate verify failed" in balancer.output)
        self.assertIn("certificate verify failed", self.source()["trouble"])
        # The files are read before each connection.
        (self.folder / "trusted.pem").write_bytes(right)
        waitUntil(lambda: not self.source()["trouble"])
        self.app("one", broker.url)
        waitUntil(lambda: self.names() == ["one"])
        self.assertEqual(get(self.listen), "one\n")
        waitUntil(lambda: "events are published" in balancer.output)
        self.assertEqual(self.stopTwistd(balancer), 0)
