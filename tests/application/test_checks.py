"""
Health checks as a part of a balancer.
"""

from __future__ import annotations

from twisted.internet import reactor
from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase, TestCase

from tests.application.balancers import ServiceCase
from txlb.application import LoadBalancedService
from txlb.application._checks import healthCheckFrom
from txlb.errors import ModelError, UnknownName
from txlb.health import Target
from txlb.manager import proxyManagerFactory
from txlb.model import HealthCheck, HostMapper, ProxyGroup, ProxyHost, ProxyService
from txlb.pool import Event, EventKind


class FromTests(SynchronousTestCase):
    """
    The short ways to write a check.
    """

    def test_word(self) -> None:
        self.assertEqual(
            healthCheckFrom("http", {"path": "/health", "interval": 1}),
            HealthCheck("http", 1.0, options={"path": "/health"}),
        )

    def test_function(self) -> None:
        check = healthCheckFrom(callable, {"timeout": 0.5})
        self.assertEqual(check, HealthCheck("python", timeout=0.5, options={"call": callable}))

    def test_check(self) -> None:
        check = HealthCheck("http", fall=5, options={"path": "/"})
        self.assertEqual(healthCheckFrom(check, {}), check)
        self.assertEqual(
            healthCheckFrom(check, {"rise": 1, "host": "a"}),
            HealthCheck("http", rise=1, fall=5, options={"path": "/", "host": "a"}),
        )

    def test_none(self) -> None:
        self.assertIsNone(healthCheckFrom(None, {}))
        error = self.assertRaises(ModelError, healthCheckFrom, None, {"rise": 1})
        self.assertIn("without a check there is no rise", str(error))

    def test_wrong(self) -> None:
        wrong: object = 7
        error = self.assertRaises(ModelError, healthCheckFrom, wrong, {})
        self.assertIn(
            "kind of a check is '7'; it is a word, such as 'tcp', or a function", str(error)
        )


class SetCheckTests(ServiceCase, SynchronousTestCase):
    """
    L{LoadBalancedService.setCheck}.
    """

    def test_beforeStart(self) -> None:
        self.balancer()
        self.lbs.setCheck("web", "main", "http", path="/health")
        check = self.manager.checkOf("web", "main", "h0")
        self.assertEqual(check, HealthCheck("http", options={"path": "/health"}))

    def test_wrong(self) -> None:
        """
        What is wrong is said, before anything is changed.
        """
        self.balancer()
        for start in (False, True):
            if start:
                self.start()
            for wrong, says in [
                (("web", "main", "htp"), "did you mean 'http'?"),
                (("web", "mine", "http"), "no group"),
                (("web", "main", "http", "h7"), "h7"),
            ]:
                error = self.assertRaises(UnknownName, self.lbs.setCheck, *wrong)
                self.assertIn(says, str(error))
            error = self.assertRaises(
                UnknownName, self.lbs.setCheck, "web", "main", "http", pth="/"
            )
            self.assertIn("did you mean 'path'?", str(error))
            wrongValue = self.assertRaises(
                ModelError, self.lbs.setCheck, "web", "main", "http", status="600"
            )
            self.assertIn("status of the http check is '600'", str(wrongValue))
            self.assertIsNone(self.manager.checkOf("web", "main", "h0"))
        error = self.assertRaises(
            ModelError, self.lbs.setCheck, "web", "main", "tls", caFile="/nowhere"
        )
        self.assertIn("caFile '/nowhere' can't be used", str(error))

    def test_wrongFromTheStart(self) -> None:
        self.balancer()
        self.manager.setCheck("web", "main", HealthCheck("nothing"))
        error = self.assertRaises(ModelError, self.lbs.privilegedStartService)
        self.assertIn("the check of web/main", str(error))
        self.manager.setCheck("web", "main", None)

    def test_child(self) -> None:
        self.balancer()
        self.assertIs(self.lbs.getServiceNamed("health"), self.lbs.health)


class FunctionTests(TestCase):
    """
    A function as a check, on the reactor.
    """

    async def test_function(self) -> None:
        host = ProxyHost("one", "127.0.0.1", 80)
        manager = proxyManagerFactory(
            [ProxyService("web", [("127.0.0.1", 0)], [ProxyGroup("g", enabled=True, hosts=[host])])]
        )
        down: Deferred[Event] = Deferred()

        def happened(event: Event) -> None:
            if event.kind is EventKind.HOST_DOWN:
                down.callback(event)

        manager.subscribe(happened)
        seen: list[Target] = []

        def isWell(target: Target) -> Deferred[tuple[bool, str]]:
            seen.append(target)
            return succeed((False, "out of paper"))

        lbs = LoadBalancedService(manager, reactor)
        lbs.startService()
        try:
            lbs.setCheck("web", "g", isWell, interval=0.02)
            event = await down.addTimeout(20, reactor)
        finally:
            await lbs.stopService()
        self.assertIn("out of paper", event.message)
        self.assertEqual(seen[0].name, "127.0.0.1")

    async def test_beforehand(self) -> None:
        """
        As a program has it: the check stands beside the host. It may return, raise,
        return a Deferred, or be a coroutine.
        """

        def returns(target: Target) -> bool:
            return target.timeout < 0

        def raises(target: Target) -> bool:
            raise RuntimeError(f"no luck at {target.address}")

        def defers(target: Target) -> Deferred[tuple[bool, str]]:
            return succeed((False, f"{target.key[2]}: out of paper"))

        async def awaits(target: Target) -> bool:
            await succeed(None)
            raise ValueError(target.name)

        down: dict[str, str] = {}
        all_: Deferred[None] = Deferred()

        def happened(event: Event) -> None:
            if event.kind is EventKind.HOST_DOWN:
                down[event.key[2]] = event.message
                if len(down) == 4:
                    all_.callback(None)

        manager = proxyManagerFactory(
            [
                HostMapper(
                    proxy="127.0.0.1:0",
                    host=check.__name__,
                    address="127.0.0.1:80",
                    check=HealthCheck(check, 0.02),
                )
                for check in (returns, raises, defers, awaits)
            ]
        )
        manager.subscribe(happened)
        lbs = LoadBalancedService(manager, reactor)
        lbs.startService()
        try:
            await all_.addTimeout(20, reactor)
        finally:
            await lbs.stopService()
        for name, why in (
            ("returns", "it returned False"),
            ("raises", "RuntimeError: no luck at 127.0.0.1:80"),
            ("defers", "defers: out of paper"),
            ("awaits", "ValueError: 127.0.0.1"),
        ):
            self.assertIn(why, down[name])

    def test_unknownWord(self) -> None:
        """
        A word that is none is named when the balancer begins, with its host.
        """
        mapper = HostMapper(proxy="127.0.0.1:0", host="h", address="127.0.0.1:80", check="tpc")
        lbs = LoadBalancedService(proxyManagerFactory([mapper]), reactor)
        error = self.assertRaises(ModelError, lbs.privilegedStartService)
        self.assertEqual(
            str(error),
            "the check of proxy1/group1/h: no check is called 'tpc'; did you mean 'tcp'?",
        )
