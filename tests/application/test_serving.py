"""
Tests for L{txlb.application._serving}.
"""

from __future__ import annotations

from tests.application.balancers import ServiceCase
from txlb.application import LoadBalancedService
from txlb.application._serving import STOPPED, TAKEN_OUT, Serving
from txlb.errors import StateError, UnknownName
from txlb.model import ProxyGroup, ProxyHost, ProxyService


class ServingTests(ServiceCase):
    def two(self) -> LoadBalancedService:
        """
        Make a balancer of two services.
        """
        host = ProxyHost("m", "127.0.0.1", 7009)
        backup = ProxyHost("b", "127.0.0.1", 7010, backup=True)
        mail = ProxyService(
            "mail", ("127.0.0.1:0",), [ProxyGroup("in", "roundr", True, [host, backup])]
        )
        return self.balancer(more=(mail,))

    def test_serves(self) -> None:
        """
        A balancer serves from its start to the beginning of its stop.
        """
        serving = self.two().serving
        self.assertEqual(serving.whyNot(), [STOPPED])
        self.start()
        self.assertEqual(serving.whyNot(), [])
        self.lbs.stopService()
        self.assertEqual(serving.whyNot(), [STOPPED])
        self.assertEqual(serving.whyNot("web"), [STOPPED])

    def test_graceTime(self) -> None:
        """
        While connections end, the balancer does not serve.
        """
        self.two()
        self.start()
        limit = self.lbs.engine.connectionLimit
        limit.active += 1
        stopped = self.lbs.stopService()
        self.assertNoResult(stopped)
        self.assertEqual(self.lbs.serving.whyNot(), [STOPPED])
        limit.remove()
        self.successResultOf(stopped)

    def test_takenOut(self) -> None:
        """
        An administrator takes a balancer out, and brings it back.
        """
        serving = self.two().serving
        self.start()
        serving.isTakenOut = True
        self.assertEqual(serving.whyNot(), [TAKEN_OUT])
        self.assertEqual(serving.whyNot("mail"), [TAKEN_OUT])
        serving.isTakenOut = False
        self.assertEqual(serving.whyNot(), [])

    def test_hosts(self) -> None:
        """
        If hosts are asked for, a service serves if one is up, also if that is a backup.
        """
        serving = self.two().serving
        self.start()
        self.manager.drain("mail", "in", "m")
        self.assertEqual(serving.whyNot(hosts=True), [])
        self.manager.drain("mail", "in", "b")
        self.assertEqual(serving.whyNot(hosts=True), ["no host of mail/in is up"])
        self.assertEqual(serving.whyNot("web", hosts=True), [])
        self.assertEqual(serving.whyNot("mail", hosts=True), ["no host of mail/in is up"])
        self.assertEqual(serving.whyNot(), [])
        self.manager.ready("mail", "in", "m")
        self.assertEqual(serving.whyNot(hosts=True), [])

    def test_hold(self) -> None:
        """
        A service that accepts no clients does not serve.
        """
        serving = self.balancer().serving
        self.start()
        self.lbs.engine.readiness.hold("a test")
        self.assertEqual(serving.whyNot(), ["web accepts no clients: a test"])

    def test_listener(self) -> None:
        """
        A service with a listener that does not listen does not serve.
        """
        serving = self.balancer().serving
        self.start()
        self.lbs.getProxyService("web").unbind()
        self.assertEqual(serving.whyNot(), ["web does not listen"])

    def test_leader(self) -> None:
        """
        If a leader is asked for, a balancer that is in no cluster does not do.
        """
        serving = self.balancer().serving
        self.start()
        self.assertEqual(serving.whyNot(leader=True), ["it is in no cluster"])

    def test_unknown(self) -> None:
        serving = self.balancer().serving
        self.assertRaises(UnknownName, serving.whyNot, "mail")

    def test_kept(self) -> None:
        """
        A successor takes over that an administrator has taken the balancer out.
        """
        lbs = self.balancer()
        lbs.serving.isTakenOut = True
        heir = Serving(lbs, lambda: True, lambda: "", lambda: ())
        heir.restore(lbs.serving.state())
        self.assertTrue(heir.isTakenOut)
        heir.restore({})
        self.assertFalse(heir.isTakenOut)
        self.assertRaises(StateError, heir.restore, {"isTakenOut": 1})
        self.assertIn("serving", lbs.keptState())
