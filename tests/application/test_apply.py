"""
Tests for L{txlb.application.service.LoadBalancedService.apply}.
"""

from __future__ import annotations

import errno
import os
import socket
import stat
from dataclasses import replace

from tests.application.balancers import ServiceCase
from tests.fired import fired
from tests.model.options import OptionalListener
from txlb.application import LoadBalancedService, ProxyListener
from txlb.errors import ListenError, ModelError, UnknownName
from txlb.model import (
    HealthCheck,
    Listener,
    ProxyGroup,
    ProxyHost,
    ProxyService,
    TCPAddress,
    UNIXAddress,
)
from txlb.proxy import ListenerShare

GROUP = ProxyGroup("main", "leastc", True, [ProxyHost("h0", "127.0.0.1", 7001)])


def service(name: str, *addresses: object, **settings: object) -> ProxyService:
    return ProxyService(name, addresses, [GROUP], relay="portable", **settings)  # type: ignore[arg-type]


class ApplyTests(ServiceCase):
    """
    Listeners follow the services, and who is connected or waits loses nothing.
    """

    def running(self, *more: ProxyService) -> LoadBalancedService:
        lbs = self.balancer(more=more)
        self.start()
        return lbs

    def web(self) -> ProxyService:
        return self.manager.getService("web")

    def fixed(self, name: str, count: int = 1) -> ProxyService:
        return service(name, *(f"127.0.0.1:{self.freePort()}" for _ in range(count)))

    def listenerOf(self, name: str) -> ListenerShare:
        listener = self.lbs.getProxyService(name).listener
        assert listener is not None
        return listener

    def test_nothing(self) -> None:
        lbs = self.running()
        before = self.listenerOf("web")
        self.assertEqual(lbs.apply([self.web()]), ())
        self.assertIs(self.listenerOf("web"), before)

    def test_settings(self) -> None:
        """
        What has nothing to do with a listener leaves it, and is in force for
        the next connection.
        """
        lbs = self.running()
        before = self.listenerOf("web")
        frontend = self.frontendOf("web")
        lbs.apply([replace(self.web(), idleTimeout=7.0, retries=0, maxConnections=1)])
        self.assertIs(self.listenerOf("web"), before)
        self.assertIs(self.frontendOf("web"), frontend)
        self.assertEqual(frontend._limits.retries, 0)
        self.assertEqual(frontend.relays.byName["portable"].timeouts.idle, 7.0)
        relay = self.relay()
        self.come()
        second = self.come()
        self.assertEqual(second.recv(1), b"")
        self.assertEqual(len(relay.started), 1)
        self.endConnection(relay)

    def test_added(self) -> None:
        lbs = self.running()
        mail = self.fixed("mail", 2)
        lbs.apply([self.web(), mail])
        self.assertEqual(lbs.getProxyNames(), ["web", "mail-1", "mail-2"])
        for name in ("mail-1", "mail-2"):
            listener = lbs.getProxyService(name)
            self.assertTrue(listener.running)
            self.assertEqual(listener.addresses, (listener.configuredAddress,))
            self.frontend = self.frontendOf("mail")
            self.connectTo(listener.addresses[0])
        self.reactor.readable()
        self.assertEqual(self.manager.getCounters("mail").accepted, 2)
        self.assertIs(lbs.proxies.getServiceNamed("mail-1"), lbs.getProxyService("mail-1"))

    def test_removed(self) -> None:
        """
        A service that goes: nobody new gets in, who waits is still served, and
        open connections go on. Its port is free.
        """
        mail = self.fixed("mail")
        lbs = self.running(mail)
        relay = self.relay()
        mailFrontend = self.frontendOf("mail")
        mailFrontend.relays.usual = relay
        waiting = self.connectTo(mail.addresses[0])
        counters = self.manager.getCounters("mail")
        gone = lbs.getProxyService("mail")
        lbs.apply([self.web()])
        self.assertEqual(lbs.getProxyNames(), ["web"])
        self.assertEqual((counters.accepted, counters.active), (1, 1))
        self.assertEqual(len(relay.started), 1)
        self.assertRaises(OSError, self.connectTo, mail.addresses[0])
        self.assertEqual((gone.running, gone.parent, gone.addresses), (0, None, ()))
        self.assertRaises(UnknownName, lbs.getProxyService, "mail")
        self.frontend = mailFrontend
        waiting.setblocking(False)
        self.assertRaises(BlockingIOError, waiting.recv, 1)
        self.endConnection(relay)
        self.assertEqual(waiting.recv(1), b"")
        self.assertEqual(counters.active, 0)
        lbs.apply([self.web(), mail])
        self.assertIsNot(self.manager.getCounters("mail"), counters)
        self.assertEqual(lbs.getProxyService("mail").addresses, mail.addresses)

    def test_goneIsReset(self) -> None:
        """
        The connections of a service that was removed end with the others.
        """
        mail = self.fixed("mail")
        lbs = self.running(mail)
        frontend = self.frontendOf("mail")
        frontend.relays.usual = relay = self.relay()
        self.connectTo(mail.addresses[0])
        self.reactor.readable()
        lbs.apply([self.web()])
        aborted: list[bool] = []
        self.patch(relay, "abortAll", lambda: aborted.append(True))
        self.patch(relay, "connectionCount", lambda: len(relay.started))
        lbs.apply([replace(self.web(), retries=1)])
        self.assertEqual(lbs.engine._former, [frontend])
        lbs.abortConnections()
        self.assertEqual(aborted, [True])
        self.frontend = frontend
        self.endConnection(relay)
        lbs.apply([replace(self.web(), retries=2)])
        self.assertEqual(lbs.engine._former, [])

    def test_moved(self) -> None:
        lbs = self.running()
        listener = lbs.getProxyService("web")
        old = listener.addresses[0]
        new = TCPAddress("127.0.0.1", self.freePort())
        lbs.apply([replace(self.web(), listeners=(Listener(new),))])
        self.assertIs(lbs.getProxyService("web"), listener)
        self.assertEqual(listener.addresses, (new,))
        self.assertRaises(OSError, self.connectTo, old)
        self.come()
        self.assertEqual(self.manager.getCounters("web").accepted, 1)

    def test_swapped(self) -> None:
        """
        Two services change addresses: no socket is closed, and who waits gets
        to the new owner.
        """
        one, two = self.fixed("one"), self.fixed("two")
        lbs = self.running(one, two)
        sockets = {self.listenerOf("one"), self.listenerOf("two")}
        self.connectTo(one.addresses[0])
        lbs.apply(
            [
                self.web(),
                replace(two, listeners=one.listeners),
                replace(one, listeners=two.listeners),
            ]
        )
        self.assertEqual({self.listenerOf("one"), self.listenerOf("two")}, sockets)
        self.assertEqual(lbs.getProxyService("one").addresses, two.addresses)
        self.reactor.readable()
        self.assertEqual(self.manager.getCounters("two").accepted, 1)
        self.assertEqual(lbs.getProxyNames(), ["web", "two", "one"])

    def test_renamed(self) -> None:
        """
        A second address renames the first one's listener, and the other way
        round; the sockets stay.
        """
        lbs = self.running()
        before = self.listenerOf("web")
        more = replace(self.web(), listeners=(*self.web().listeners, Listener("127.0.0.1:0")))
        lbs.apply([more])
        self.assertEqual(lbs.getProxyNames(), ["web-1", "web-2"])
        self.assertIs(self.listenerOf("web-1"), before)
        second = self.listenerOf("web-2")
        lbs.apply([replace(more, listeners=(more.listeners[1],))])
        self.assertEqual(lbs.getProxyNames(), ["web"])
        self.assertIn(self.listenerOf("web"), (before, second))
        self.come()

    def test_taken(self) -> None:
        """
        One address can't be had: nothing has changed, also not what came before
        it, and what was opened is closed.
        """
        lbs = self.running()
        free = self.freePort()
        taken = self.takenPort()
        wanted = [
            replace(self.web(), retries=0),
            service("mail", f"127.0.0.1:{free}", f"127.0.0.1:{taken}"),
        ]
        before = list(self.manager.services.values())
        descriptors = len(os.listdir("/proc/self/fd"))
        error = self.assertRaises(ListenError, lbs.apply, wanted)
        self.assertIn(str(taken), str(error))
        self.assertEqual(list(self.manager.services.values()), before)
        self.assertEqual(lbs.getProxyNames(), ["web"])
        self.assertEqual(len(os.listdir("/proc/self/fd")), descriptors)
        self.assertRaises(OSError, self.connectTo, TCPAddress("127.0.0.1", free))
        self.come()
        self.assertEqual(self.manager.getCounters("web").accepted, 1)

    def test_overlap(self) -> None:
        """
        An address that overlaps with one that is to go is refused, with the
        reason.
        """
        mail = self.fixed("mail")
        lbs = self.running(mail)
        address = mail.addresses[0]
        assert isinstance(address, TCPAddress)
        wanted = replace(mail, listeners=(Listener(("", address.port)),))
        error = self.assertRaises(ListenError, lbs.apply, [self.web(), wanted])
        self.assertIn(f"{address} is this balancer's own", str(error))
        self.assertEqual(lbs.getProxyService("mail").addresses, (address,))

    def test_noOverlap(self) -> None:
        """
        An address that this machine doesn't have, or that another process has, has
        nothing to do with the listener of the same port that is to go.
        """
        mail = self.fixed("mail")
        lbs = self.running(mail)
        [address] = mail.addresses
        assert isinstance(address, TCPAddress)
        taken = socket.socket()
        self.addCleanup(taken.close)
        taken.bind(("127.0.0.2", address.port))
        taken.listen(1)
        for host, reason in (
            ("192.0.2.1", "this machine has no such address"),
            ("127.0.0.2", "the address is in use by another listener"),
        ):
            wanted = replace(mail, listeners=(Listener((host, address.port)),))
            error = self.assertRaises(ListenError, lbs.apply, [self.web(), wanted])
            self.assertEqual(str(error), f"can't listen on {host}:{address.port}: {reason}")
        self.assertEqual(lbs.getProxyService("mail").addresses, (address,))

    def test_options(self) -> None:
        """
        A listener that stays has its new options at once, and those of a service that
        takes its address over. The socket stays, and so do clients that wait.
        """
        mail = service("mail", OptionalListener(f"127.0.0.1:{self.freePort()}"))
        lbs = self.running(mail)
        before = self.listenerOf("mail")
        waiting = self.connectTo(mail.addresses[0])
        for wanted in (
            replace(mail, listeners=(OptionalListener(mail.addresses[0], limit=5),)),
            replace(mail, name="post", listeners=(OptionalListener(mail.addresses[0], limit=6),)),
        ):
            self.assertTrue(fired(lbs.plan([self.web(), wanted])))
            lbs.apply([self.web(), wanted])
            self.assertIs(self.listenerOf(wanted.name), before)
            self.assertEqual(before.configured, wanted.listeners[0])
            self.assertEqual(lbs.getProxyService(wanted.name).configured, wanted.listeners[0])
        self.reactor.readable()
        self.assertEqual(self.manager.getCounters("post").accepted, 1)
        waiting.close()

    def modeOf(self, path: str) -> int:
        return stat.S_IMODE(os.stat(path).st_mode)

    def test_permissions(self) -> None:
        """
        A UNIX socket whose mode is changed stays, with who waits there and whatever
        name it has by then.
        """
        path, other = self.socketPath(), self.socketPath()
        mail = service("mail", UNIXAddress(path), UNIXAddress(other, mode=0o660))
        lbs = self.running(mail)
        before = [self.listenerOf(name) for name in ("mail-1", "mail-2")]
        self.assertEqual((self.modeOf(path), self.modeOf(other)), (0o600, 0o660))
        client = self.connect(path)
        wanted = replace(
            mail,
            name="post",
            listeners=(Listener(f"unix:{other}"), Listener(UNIXAddress(path, mode=0o666))),
        )
        self.assertEqual(len(fired(lbs.plan([self.web(), wanted])).changes), 2)
        lbs.apply([self.web(), wanted])
        self.assertEqual((self.modeOf(path), self.modeOf(other)), (0o666, 0o600))
        self.assertEqual([self.listenerOf(name) for name in ("post-2", "post-1")], before)
        self.reactor.readable()
        self.assertEqual(self.manager.getCounters("post").accepted, 1)
        client.close()
        changed = replace(wanted, listeners=(Listener(f"unix:{other}"), Listener(f"unix:{path}")))
        self.assertEqual(
            fired(lbs.plan([self.web(), changed])).lines,
            [f"service post: listener unix:{path} mode 0666 -> 0600"],
        )
        [event] = lbs.apply([self.web(), changed])
        self.assertEqual(
            str(event), f"setting-changed post: listener unix:{path} mode 0666 -> 0600"
        )
        self.assertEqual(self.modeOf(path), 0o600)

    def test_permissionsUndone(self) -> None:
        """
        Where something can't be had the sockets are as they were.
        """
        path, other = self.socketPath(), self.socketPath()
        mail = service("mail", UNIXAddress(path), UNIXAddress(other))
        lbs = self.running(mail)

        def chown(*_: object) -> None:
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

        self.patch(os, "chown", chown)
        changed = Listener(UNIXAddress(path, mode=0o666))
        given = Listener(UNIXAddress(other, mode=0o660, group="12"))
        wanted = replace(mail, listeners=(changed, given))
        error = self.assertRaises(ListenError, lbs.apply, [self.web(), wanted])
        self.assertIn(f"can't listen on unix:{other}: its file can't be given to", str(error))
        self.assertEqual((self.modeOf(path), self.modeOf(other)), (0o600, 0o600))
        self.assertEqual(self.manager.getService("mail"), mail)
        taken = Listener(f"127.0.0.1:{self.takenPort()}")
        wanted = replace(mail, listeners=(changed, taken))
        self.assertRaises(ListenError, lbs.apply, [self.web(), wanted])
        self.assertEqual(self.modeOf(path), 0o600)

    def test_wrong(self) -> None:
        lbs = self.running()
        self.assertRaises(ModelError, lbs.apply, [])
        lbs.engine._whyNotFast = "there is none"
        error = self.assertRaises(ModelError, lbs.apply, [replace(self.web(), relay="fast")])
        self.assertIn("asks for the fast relay", str(error))

    def test_check(self) -> None:
        """
        A check of a kind that there is not is refused before anything is done.
        """
        lbs = self.running()
        wanted = replace(self.web(), groups=(replace(GROUP, check=HealthCheck("nosuch")),))
        self.assertRaises(UnknownName, lbs.apply, [wanted])
        self.assertIsNone(self.web().groups[0].check)
        lbs.apply([replace(wanted, groups=(replace(GROUP, check=HealthCheck("tcp")),))])
        self.assertEqual(self.web().groups[0].check, HealthCheck("tcp"))

    def test_relay(self) -> None:
        """
        New connections go by another relay; the old one keeps those that it has.
        """
        lbs = self.running()
        before = self.listenerOf("web")
        frontend = self.frontendOf("web")
        portable = frontend.relay
        for kind in ("fast", "portable", "auto"):
            lbs.apply([replace(self.web(), relay=kind)])
            self.assertEqual(frontend.relay.name, "portable" if kind == "portable" else "fast")
            self.assertIs(self.listenerOf("web"), before)
            self.come()
        self.assertIs(frontend.relays.byName["portable"], portable)
        self.assertEqual(self.manager.getCounters("web").accepted, 3)
        self.assertEqual(frontend.connectionCount(), self.manager.getCounters("web").active)
        lbs.abortConnections()

    def test_managerRaises(self) -> None:
        lbs = self.running()
        free = self.freePort()

        def apply(_services: object) -> None:
            raise RuntimeError("a policy")

        self.patch(self.manager, "apply", apply)
        wanted = [self.web(), service("mail", f"127.0.0.1:{free}")]
        self.assertRaises(RuntimeError, lbs.apply, wanted)
        self.assertRaises(OSError, self.connectTo, TCPAddress("127.0.0.1", free))
        self.assertEqual(lbs.getProxyNames(), ["web"])

    def test_notRunning(self) -> None:
        """
        Before it is started, or when it has only bound, it is as it would be
        had it been made so.
        """
        lbs = self.balancer()
        mail = self.fixed("mail")
        lbs.apply([mail, self.web()])
        self.assertEqual(lbs.getProxyNames(), ["mail", "web"])
        self.assertEqual(lbs.getProxyService("mail").addresses, ())
        lbs.bind()
        self.assertEqual(lbs.getProxyService("mail").addresses, mail.addresses)
        other = self.fixed("other")
        lbs.apply([other, self.web()])
        self.assertEqual(lbs.getProxyService("other").addresses, other.addresses)
        self.assertFalse(lbs.getProxyService("other").running)
        self.start()
        self.come("web")
        self.frontend = self.frontendOf("other")
        self.connectTo(other.addresses[0])
        self.reactor.readable()
        self.assertEqual(self.manager.getCounters("other").accepted, 1)
        self.assertTrue(all(isinstance(each, ProxyListener) for each in lbs.proxies))
