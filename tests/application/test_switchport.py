"""
Tests for L{LoadBalancedService.switchPort}.
"""

from __future__ import annotations

import os
import socket
import stat

from twisted.logger import LogLevel, formatEvent

from tests.application.balancers import LOCAL, ServiceCase
from tests.model.options import OptionalListener
from tests.proxy.fakes import logOf
from txlb.errors import AddressError, ListenError
from txlb.model import InheritedAddress, TCPAddress, UNIXAddress
from txlb.pool import Event, EventKind
from txlb.proxy import InheritedSockets, _inherited


class SwitchPortTests(ServiceCase):
    def test_switched(self) -> None:
        """
        It listens on the new port, not on the old one; connections go on, who
        waited at the old one is taken, and the manager knows.
        """
        events: list[Event] = []
        self.balancer()
        self.start()
        self.manager.subscribe(events.append)
        relay = self.relay()
        self.come()
        old = self.lbs.getProxyService("web").addresses[0]
        self.connectTo(old)
        free = self.freePort()
        self.assertEqual(self.lbs.switchPort("web", free), (TCPAddress("127.0.0.1", free),))
        self.assertEqual(len(relay.started), 2)
        self.assertEqual(relay.aborted, 0)
        self.assertRaises(ConnectionRefusedError, self.connectTo, old)
        self.assertEqual(self.port(), free)
        self.come()
        self.assertEqual(len(relay.started), 3)
        service = self.manager.getService("web")
        self.assertEqual(service.addresses, (TCPAddress("127.0.0.1", free),))
        self.assertEqual([event.kind for event in events], [EventKind.LISTENER_MOVED])
        for _ in range(3):
            self.endConnection(relay)

    def test_chosenBySystem(self) -> None:
        """
        For port 0 the manager knows the port that the system chose.
        """
        self.balancer()
        self.start()
        self.lbs.switchPort("web", 0)
        self.assertEqual(
            self.manager.getService("web").addresses, (TCPAddress("127.0.0.1", self.port()),)
        )

    def test_options(self) -> None:
        """
        The options of a listener that moves go with it.
        """
        self.balancer(OptionalListener("127.0.0.1:0", limit=5))
        self.start()
        self.lbs.switchPort("web", 0)
        web = self.lbs.getProxyService("web")
        [address] = web.addresses
        self.assertEqual(web.configured, OptionalListener(address, limit=5))
        assert web.listener is not None
        self.assertEqual(web.listener.configured, web.configured)

    def test_inherited(self) -> None:
        """
        Away from a socket of systemd's, which is told, with a port of the same
        interface, and back. Who waits there when it is left is taken.
        """
        log = logOf(self)
        sock = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(sock.close)
        found = InheritedSockets([("web", os.dup(sock.fileno()))])
        self.addCleanup(found.close)
        self.patch(_inherited, "_inherited", found)
        self.balancer("systemd:web")
        self.start()
        relay = self.relay()
        self.connect(sock.getsockname())
        free = self.freePort()
        self.assertEqual(self.lbs.switchPort("web", free), (TCPAddress("127.0.0.1", free),))
        self.assertEqual(len(relay.started), 1)
        [line] = [formatEvent(event) for event in log if event["log_level"] is LogLevel.warn]
        self.assertIn("web does not accept on systemd:web any more, but systemd listens", line)
        self.connect(sock.getsockname())
        self.lbs.switchPort("web", "systemd:web")
        self.reactor.readable()
        self.assertEqual(len(relay.started), 2)
        self.assertEqual(self.manager.getService("web").addresses, (InheritedAddress("web"),))
        self.come()
        for _ in range(3):
            self.endConnection(relay)

    def test_taken(self) -> None:
        """
        A port that can't be had changes nothing.
        """
        self.balancer()
        self.start()
        relay = self.relay()
        before, configured = self.port(), self.manager.getService("web")
        error = self.assertRaises(ListenError, self.lbs.switchPort, "web", self.takenPort())
        self.assertIn("in use", str(error))
        self.assertEqual(self.port(), before)
        self.assertEqual(self.manager.getService("web"), configured)
        self.come()
        self.assertEqual(len(relay.started), 1)
        self.endConnection(relay)

    def test_refusedByManager(self) -> None:
        """
        Where the manager does not have it, the new port is given up.
        """
        free = self.freePort()
        self.balancer(LOCAL, "127.0.0.1:1")
        listener = self.lbs.getProxyService("web-1")
        # Two listeners on one address, as the configuration would say.
        self.manager.listenerMoved("web", 1, TCPAddress("127.0.0.1", free))
        self.assertRaises(ValueError, listener.moveTo, TCPAddress("127.0.0.1", free))
        self.assertEqual(listener.addresses, ())
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", free))

    def test_oneOfSeveral(self) -> None:
        """
        Of several listeners the one that is named moves, and the others stay.
        """
        self.balancer(LOCAL, LOCAL)
        self.start()
        first = self.port("web-1")
        free = self.freePort()
        self.lbs.switchPort("web-2", free)
        self.assertEqual((self.port("web-1"), self.port("web-2")), (first, free))
        self.assertEqual(
            [str(address) for address in self.manager.getService("web").addresses],
            [LOCAL, f"127.0.0.1:{free}"],
        )

    def test_wholeAddress(self) -> None:
        """
        A whole address may be given, and a port as text.
        """
        self.balancer()
        self.start()
        free = self.freePort()
        self.lbs.switchPort("web", str(free))
        self.assertEqual(self.port(), free)
        self.lbs.switchPort("web", "127.0.0.1:0")
        self.assertNotEqual(self.port(), free)

    def test_UNIX(self) -> None:
        """
        A listener moves to a socket in the file system and on to a port; from
        such a socket a whole address is needed.
        """
        self.balancer()
        self.start()
        relay = self.relay()
        path = self.socketPath()
        self.assertEqual(self.lbs.switchPort("web", f"unix:{path}"), (UNIXAddress(path),))
        self.come()
        self.assertEqual(len(relay.started), 1)
        error = self.assertRaises(AddressError, self.lbs.switchPort, "web", 8080)
        self.assertIn("has no port to change", str(error))
        self.lbs.switchPort("web", "127.0.0.1:0")
        self.assertFalse(os.path.exists(path))
        self.endConnection(relay)

    def test_permissions(self) -> None:
        """
        A listener that moves from one socket in the file system to another is for the
        same users.
        """
        first, second = self.socketPath(), self.socketPath()
        self.balancer(UNIXAddress(first, mode=0o666))
        self.start()
        self.lbs.switchPort("web", f"unix:{second}")
        self.assertEqual(stat.S_IMODE(os.stat(second).st_mode), 0o666)
        self.assertEqual(
            self.manager.getService("web").addresses, (UNIXAddress(second, mode=0o666),)
        )

    def test_noAddress(self) -> None:
        """
        What is no address to listen on raises and changes nothing.
        """
        self.balancer()
        self.start()
        before = self.port()
        for wrong in ("here", "127.0.0.1:x", 70000, "70000", -1, "\N{SUPERSCRIPT TWO}"):
            self.assertRaises(AddressError, self.lbs.switchPort, "web", wrong)
        self.assertEqual(self.port(), before)

    def test_notRunning(self) -> None:
        """
        Before the start it listens on the new port, and accepts from the start
        on.
        """
        self.balancer()
        self.lbs.switchPort("web", 0)
        self.assertEqual(self.reactor.getReaders(), [])
        port = self.port()
        self.start()
        self.assertEqual(self.port(), port)
        self.assertEqual(len(self.reactor.getReaders()), 1)

    def test_everyInterface(self) -> None:
        """
        A listener on every interface stays one.
        """
        self.balancer("*:0")
        self.start()
        self.lbs.switchPort("web", 0)
        [address] = self.manager.getService("web").addresses
        assert isinstance(address, TCPAddress)
        self.assertEqual(address.host, "")
        self.assertEqual(address.port, self.port())

    def test_restart(self) -> None:
        """
        After a restart it listens where it was moved to.
        """
        self.balancer()
        self.start()
        self.lbs.switchPort("web", 0)
        port = self.port()
        self.successResultOf(self.lbs.stopService())
        self.start()
        self.assertEqual(self.port(), port)
