"""
A wrong type where a program gives something: the error names the argument, what it is and
what it should be, and nothing has happened.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from txlb.admin import AdminUser, controlService, manholeService
from txlb.application import LoadBalancedService
from txlb.errors import TxlbError, UnknownName
from txlb.manager import ProxyManager, proxyManagerFactory
from txlb.model import (
    HealthCheck,
    HostMapper,
    ProxyGroup,
    ProxyHost,
    ProxyService,
    ResourceProbe,
    TCPAddress,
)
from txlb.pool import HostPool
from txlb.resources import AgentService

HOST = ProxyHost("a", "10.0.0.1", 80)
GROUP = ProxyGroup("g", enabled=True, hosts=[HOST])
SERVICE = ProxyService("s", ["127.0.0.1:0"], [GROUP, ProxyGroup("spare")])
MAPPER = HostMapper(proxy="127.0.0.1:80", host="h", address="10.0.0.1:80")

MAKERS: dict[type, dict[str, Any]] = {
    HostMapper: {"proxy": "127.0.0.1:80", "host": "h", "address": "10.0.0.1:80"},
    ProxyHost: {"name": "a", "ipOrHost": "10.0.0.1", "port": 80},
    ProxyGroup: {"name": "g"},
    ProxyService: {"name": "s", "listeners": ["127.0.0.1:0"], "groups": [GROUP]},
    HealthCheck: {},
    ResourceProbe: {"probe": "agent"},
}

#: Things that are no value for any setting, but for the last ones, which some take.
JUNK: tuple[object, ...] = (
    b"x",
    object(),
    [5],
    ["x"],
    HOST,
    MAPPER,
    SERVICE,
    5.5,
    -1,
    None,
    True,
    "x",
    [],
    {},
    len,
)


def manager() -> ProxyManager:
    return proxyManagerFactory([SERVICE])


class ModelTests(SynchronousTestCase):
    """
    Every argument of every model with everything that it is not.
    """

    def wrong(self) -> Iterator[tuple[type, str, object, TxlbError]]:
        """
        @return: the errors that there are.
        """
        for kind, others in MAKERS.items():
            for each in dataclasses.fields(kind):
                for value in JUNK:
                    if not each.init:
                        continue
                    try:
                        kind(**{**others, each.name: value})
                    except TxlbError as error:
                        yield kind, each.name, value, error

    def test_noOtherError(self) -> None:
        """
        What is refused is refused by an error of ours: a TypeError or AttributeError of
        the inside ends this test.
        """
        found = list(self.wrong())
        refused = {(kind, name) for kind, name, _, _ in found}
        there = {
            (kind, each.name) for kind in MAKERS for each in dataclasses.fields(kind) if each.init
        }
        self.assertEqual(refused, there)
        self.assertGreater(len(found), 700)

    def test_bounded(self) -> None:
        """
        However long a value is, the message is short, and it shows what was given.
        """
        for kind, name, value, error in self.wrong():
            self.assertLess(len(str(error)), 330, (kind, name, str(error)))
            if name not in {"proxy", "listeners", "groups", "hosts", "allow", "deny", "options"}:
                shown = repr(value)[:20]
                self.assertIn(shown, str(error), (kind, name))

    def test_told(self) -> None:
        """
        Those that told a wrong cause.
        """
        for make, told in (
            (
                lambda: ProxyGroup("g", hosts=HOST),  # type: ignore[arg-type]
                (
                    "hosts of group 'g' is ProxyHost(name='a', ipOrHost='10.0.0.1', port=80, "
                    "weight=1, …; it is a list of ProxyHosts"
                ),
            ),
            (
                lambda: ProxyGroup("g", hosts="web1"),  # type: ignore[arg-type]
                "hosts of group 'g' is 'web1'; it is a list of ProxyHosts",
            ),
            (
                lambda: ProxyGroup("g", hosts=[HOST, "web1"]),  # type: ignore[list-item]
                "hosts of group 'g' has 'web1' in it; each is a ProxyHost",
            ),
            (
                lambda: ProxyService("s", [":1"], GROUP),  # type: ignore[arg-type]
                (
                    "groups of service 's' is ProxyGroup(name='g', scheduler='leastc', "
                    "enabled=True, hosts…; it is a list of ProxyGroups"
                ),
            ),
            (
                lambda: ProxyService("s", [":1"], [HOST]),  # type: ignore[list-item]
                (
                    "groups of service 's' has ProxyHost(name='a', ipOrHost='10.0.0.1', port=80, "
                    "weight=1, … in it; each is a ProxyGroup"
                ),
            ),
            (
                lambda: ProxyService("s", [":1"], [GROUP], allow=b"10.0.0.0/8"),  # type: ignore[arg-type]
                "allow of service 's' is b'10.0.0.0/8'; it is a list of networks",
            ),
            (
                lambda: HostMapper(**{**MAKERS[HostMapper], "host": 5}),
                "the name of a host is 5; it is a text of 1 to 255 characters",
            ),
            (
                lambda: HostMapper(**{**MAKERS[HostMapper], "enabled": "no"}),
                "enabled of the HostMapper of host 'h' is 'no'; it is true or false",
            ),
            (
                lambda: HostMapper(**{**MAKERS[HostMapper], "lbType": None}),
                "the scheduler is None; it is a word, such as 'leastc'",
            ),
            (
                lambda: HealthCheck("http", options=["path"]),  # type: ignore[arg-type]
                "options of the http check is ['path']; it is a dictionary of values by name",
            ),
            (
                lambda: ResourceProbe("agent", options=5),  # type: ignore[arg-type]
                "options of the agent probe is 5; it is a dictionary of values by name",
            ),
        ):
            self.assertEqual(str(self.assertRaises(TxlbError, make)), told)


class PartsTests(SynchronousTestCase):
    """
    What is made of the models.
    """

    def table(self, *rows: tuple[Callable[[], object], str]) -> None:
        for do, told in rows:
            error = self.assertRaises(TxlbError, do)
            self.assertIn(told, str(error))

    def test_factory(self) -> None:
        make: Any = proxyManagerFactory
        whats: tuple[Any, ...] = (make, manager().apply, manager().plan)
        for what in whats:
            self.table(
                (partial(what, None), "None is no list of HostMappers or of ProxyServices"),
                (partial(what, MAPPER), "HostMapper(proxyName='proxy1', "),
                (partial(what, SERVICE), "is no list of HostMappers or of ProxyServices"),
                (
                    partial(what, "config.xml"),
                    (
                        "'config.xml' is no list of HostMappers or ProxyServices; those of a "
                        "configuration file are loadConfiguration(path).services"
                    ),
                ),
                (partial(what, [HOST]), "this list has ProxyHost"),
                (partial(what, [MAPPER, SERVICE]), "this list has HostMapper and ProxyService"),
                (partial(what, []), "there is no service"),
            )
        self.table(
            (partial(make, [SERVICE], seconds=5), "seconds is 5; it is a clock, such as"),
            (partial(make, [SERVICE], random=5), "random is 5; it is a random.Random or None"),
        )
        make([SERVICE], seconds=Clock().seconds, random=random.Random(1))

    def test_service(self) -> None:
        make: Any = LoadBalancedService
        for wrong in (None, [MAPPER], SERVICE, 5):
            self.table(
                (
                    partial(make, wrong),
                    (
                        "a LoadBalancedService is made of a ProxyManager, as proxyManagerFactory "
                        f"makes it, not of {repr(wrong)[:20]}"
                    ),
                )
            )
        self.table(
            (partial(make, manager(), graceTime="x"), "graceTime is 'x'; it is a number of seco"),
            (partial(make, manager(), graceTime=-1), "graceTime is -1; it is a number of seconds"),
            (partial(make, manager(), maxChecks=0), "maxChecks is 0; it is a whole number from 1"),
            (partial(make, manager(), maxChecks=None), "maxChecks is None; it is a whole number"),
            (partial(make, manager(), inMemory="x"), "inMemory is 'x'; it is true or false"),
            (make(manager(), 5).bind, "5 is no reactor that can listen; for tests take Memory"),
            (make(manager(), Clock()).bind, "is no reactor that can listen"),
        )
        running = make(manager())
        self.assertRaises(TxlbError, setattr, running, "graceTime", "x")
        self.assertRaises(TxlbError, setattr, running, "maxChecks", 10_001)
        self.assertEqual((running.graceTime, running.maxChecks), (10.0, 100))

    def test_switchPort(self) -> None:
        lbs = LoadBalancedService(manager())
        lbs.bind()
        self.addCleanup(lbs.stopService)
        move: Any = partial(lbs.switchPort, "s")
        self.table(
            (partial(move, None), "None is no address; write host:port"),
            (partial(move, "abc"), "'abc' is neither a port nor an address; write a port, host:p"),
            (partial(move, ""), "'' is neither a port nor an address"),
            (partial(move, "[::1]"), "'[::1]' has no port"),
            (partial(move, 5.5), "5.5 is no address; write host:port"),
            (partial(move, True), "True is no address; write host:port"),
            (partial(move, 80_800), "port 80800 does not exist; ports are 1 to 65535"),
            (partial(move, "80800"), "port 80800 does not exist; ports are 1 to 65535"),
            (partial(move, "9" * 5000), "does not exist; ports are 1 to 65535"),
            (partial(move, -1), "port -1 does not exist"),
        )
        (moved,) = move(("127.0.0.1", 0))
        self.assertEqual((moved.host, moved.port > 0), ("127.0.0.1", True))
        move(TCPAddress("127.0.0.1", 0))

    def test_verbs(self) -> None:
        made: Any = manager()
        self.table(
            (partial(made.addHost, "s", "g", "b", None), "None is no address"),
            (partial(made.addHost, "s", "g", 5, "10.0.0.2:80"), "the name of a host is 5"),
            (partial(made.addHost, "s", "g", "b", "10.0.0.2:80", "2"), "weight of host 'b' is '2'"),
            (
                partial(made.delHost, "s", "g", "a", force="no"),
                "force of host 'a' is 'no'; it",
            ),
            (partial(made.drain, "s", "g", "a", "x"), "the deadline of host 'a' is 'x'"),
            (partial(made.setScheduler, "s", "g", 5), "the scheduler is 5; it is a word"),
            (partial(made.setCheck, "s", "g", 5), "check of group 'g' is 5; it is a HealthCheck"),
            (partial(made.subscribe, 5), "5 is no observer; it is a function of an Event"),
        )
        for wrong in (
            partial(made.addHost, "s", "g", "b", "10.0.0.2:80", maxConnection=5),
            partial(made.setHost, "s", "g", "a", maxConnection=5),
            partial(made.setGroup, "s", "g", maxQeue=5),
            partial(HostPool, "leastc", maxQeue=5),
        ):
            error = self.assertRaises(UnknownName, wrong)
            self.assertIn("did you mean 'max", str(error))
        error = self.assertRaises(UnknownName, made.setGroup, "s", "g", zzzz=1)
        self.assertNotIn("_byName", str(error))
        error = self.assertRaises(UnknownName, made.setHost, "s", "g", "a", zzzz=1)
        self.assertIn("there are: backup, check, maxConnections", str(error))
        self.assertEqual(made.events, ())

    def test_pool(self) -> None:
        make: Any = HostPool
        pool = make("leastc", [HOST])
        self.table(
            (partial(make, 5), "the scheduler is 5; it is a word, such as 'leastc', or an ISch"),
            (partial(make, None), "the scheduler is None"),
            (partial(make, "leastc", 5), "hosts of group 'pool' is 5; it is a list of ProxyHosts"),
            (partial(make, "leastc", HOST), "it is a list of ProxyHosts"),
            (partial(make, "leastc", ["a"]), "hosts of group 'pool' has 'a' in it; each is a Prox"),
            (partial(make, "leastc", [HOST], seconds=5), "seconds is 5; it is a clock"),
            (partial(make, "leastc", [HOST], maxQueue="x"), "maxQueue of group 'pool' is 'x'"),
            (partial(pool.addHost, "a"), "'a' is no ProxyHost"),
            (partial(pool.setScheduler, 5), "the scheduler is 5"),
        )
        for load in ("x", None, 5, -0.1):
            error = self.assertRaises(ValueError, pool.reportLoad, "a", load)
            self.assertEqual(str(error), f"what 'a' has left is {load!r}; it is 0 to 1")

    def test_doors(self) -> None:
        lbs = LoadBalancedService(manager())
        manhole: Any = partial(manholeService, lbs, "127.0.0.1:0")
        agent: Any = partial(AgentService, "127.0.0.1:0", None, available=lambda: 1.0)
        control: Any = partial(controlService, lbs)
        self.table(
            (partial(manhole, 5), "users is 5; it is a list of AdminUsers"),
            (partial(manhole, "me"), "users is 'me'; it is a list of AdminUsers"),
            (partial(manhole, ["me"]), "users has 'me' in it; each is a AdminUser"),
            (partial(manhole, AdminUser("me")), "it is a list of AdminUsers"),
            (partial(control, 5), "5 is no path of a control socket; it is a text"),
            (partial(control, None), "None is no path of a control socket"),
            (partial(control, b"/x"), "b'/x' is no path of a control socket"),
            (partial(agent, interval="x"), "interval of an agent is 'x'; it is a number of sec"),
            (partial(agent, interval=0), "interval of an agent is 0; it is a number of seconds"),
            (partial(agent, maxConnections="x"), "maxConnections of an agent is 'x'"),
            (partial(agent, available=5), "available of an agent is 5; it is a function"),
        )
