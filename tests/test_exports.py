"""
The names that users know, with the names of their arguments: what is pinned
here can't change without breaking somebody's program.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from inspect import Parameter

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyClass

import txlb
from txlb import (
    admin,
    cli,
    endpoints,
    interfaces,
    manager,
    model,
    pool,
    schedulers,
    testing,
    web,
    wire,
)
from txlb.admin import control
from txlb.application.service import LoadBalancedService
from txlb.cli import _command
from txlb.manager import ProxyManager
from txlb.model import HostMapper, ProxyGroup, ProxyHost, ProxyService, convertMapperToModel
from txlb.schedulers import schedulerFactory

#: A parameter that has to be given.
NEEDED = Parameter.empty


def arguments(called: object) -> list[tuple[str, object]]:
    """
    The arguments that can be given by position, with their defaults.
    """
    assert callable(called)
    return [
        (each.name, each.default)
        for each in inspect.signature(called).parameters.values()
        if each.name != "self" and each.kind is Parameter.POSITIONAL_OR_KEYWORD
    ]


class ModelTests(SynchronousTestCase):
    def test_hostMapper(self) -> None:
        self.assertEqual(
            arguments(HostMapper),
            [
                ("proxyName", "proxy1"),
                ("proxy", ""),
                ("groupName", "group1"),
                ("lbType", "leastc"),
                ("host", ""),
                ("address", ""),
                ("enabled", True),
                ("weight", 1),
            ],
        )

    def test_models(self) -> None:
        self.assertEqual(
            arguments(ProxyService), [("name", NEEDED), ("addresses", ()), ("groups", ())]
        )
        self.assertEqual(
            arguments(ProxyGroup),
            [("name", NEEDED), ("scheduler", "leastc"), ("enabled", False), ("hosts", ())],
        )
        self.assertEqual(
            arguments(ProxyHost)[:4],
            [("name", NEEDED), ("ipOrHost", NEEDED), ("port", 0), ("weight", 1)],
        )

    def test_convert(self) -> None:
        self.assertEqual(len(arguments(convertMapperToModel)), 1)


class ClientTests(SynchronousTestCase):
    def test_agent(self) -> None:
        self.assertEqual(
            arguments(web.BalancedAgent),
            [("pool", NEEDED), ("reactor", None), ("limits", None), ("policy", None)],
        )

    def test_endpoint(self) -> None:
        self.assertEqual(
            arguments(endpoints.PoolEndpoint),
            [("pool", NEEDED), ("reactor", None), ("limits", None)],
        )


class ManagerTests(SynchronousTestCase):
    def test_factory(self) -> None:
        self.assertEqual(arguments(manager.proxyManagerFactory), [("services", NEEDED)])

    def test_changes(self) -> None:
        host = [("serviceName", NEEDED), ("groupName", NEEDED), ("proxiedName", NEEDED)]
        self.assertEqual(arguments(ProxyManager.addHost), [*host, ("ip", NEEDED), ("weight", 1)])
        self.assertEqual(arguments(ProxyManager.delHost), [*host, ("ip", None)])
        for drained in (ProxyManager.drain, ProxyManager.maintenance):
            self.assertEqual(arguments(drained), [*host, ("deadline", None)])
        self.assertEqual(arguments(ProxyManager.ready), host)
        self.assertEqual(arguments(ProxyManager.setHost), host)
        self.assertEqual(arguments(ProxyManager.setGroup), host[:2])
        self.assertEqual(
            arguments(ProxyManager.switchGroup),
            [("serviceName", NEEDED), ("oldGroupName", NEEDED), ("newGroupName", NEEDED)],
        )


class SchedulerTests(SynchronousTestCase):
    def test_words(self) -> None:
        """
        The words are plain texts.
        """
        for word in (
            "rand",
            "roundr",
            "leastc",
            "weightr",
            "weightlc",
            "p2c",
            "ewma",
            "sticky",
            "maglev",
            "first",
            "resource",
        ):
            value = getattr(schedulers, word)
            self.assertEqual(value, word)
            self.assertIs(type(value), str)

    def test_factory(self) -> None:
        self.assertEqual(arguments(schedulerFactory), [("lbType", NEEDED), ("tracker", None)])
        random = inspect.signature(schedulerFactory).parameters["random"]
        self.assertEqual((random.kind, random.default), (Parameter.KEYWORD_ONLY, None))


class ServiceTests(SynchronousTestCase):
    def test_service(self) -> None:
        found = arguments(LoadBalancedService)
        self.assertEqual(found[0][1], NEEDED)
        parameters = inspect.signature(LoadBalancedService).parameters
        self.assertIsNone(parameters["reactor"].default)

    def test_methods(self) -> None:
        self.assertEqual(len(arguments(LoadBalancedService.switchPort)), 2)
        self.assertEqual(arguments(LoadBalancedService.getProxyNames), [])
        self.assertEqual(len(arguments(LoadBalancedService.getProxyService)), 1)


class FacadeTests(SynchronousTestCase):
    def test_facades(self) -> None:
        """
        What a package says that it has it has, and says so in order.
        """
        for package in (txlb, interfaces, manager, model, pool, schedulers, testing, wire):
            names = list(package.__all__)
            self.assertEqual(len(names), len(set(names)), package.__name__)
            for name in names:
                self.assertTrue(hasattr(package, name), f"{package.__name__}.{name}")

    def test_documented(self) -> None:
        """
        Everything that the pure packages show has a docstring of its own.
        """
        for package in (interfaces, manager, model, pool, schedulers, testing, wire):
            for name in package.__all__:
                value = getattr(package, name)
                if inspect.isclass(value) or inspect.isfunction(value):
                    self.assertTrue((value.__doc__ or "").strip(), f"{package.__name__}.{name}")

    def test_interfaces(self) -> None:
        """
        What is said to provide an interface has all of it.
        """
        for policy in (
            schedulers.Random,
            schedulers.RoundRobin,
            schedulers.LeastConnections,
            schedulers.WeightedRandom,
            schedulers.WeightedLeastConnections,
            schedulers.TwoChoices,
            schedulers.PeakEwma,
            schedulers.Sticky,
            schedulers.Maglev,
            schedulers.First,
            schedulers.ResourceShare,
        ):
            self.assertTrue(verifyClass(interfaces.IScheduler, policy))
        self.assertTrue(interfaces.IHost.implementedBy(pool.Host))
        self.assertTrue(interfaces.IHost.implementedBy(testing.FakeHost))

    def test_pureModules(self) -> None:
        """
        Every module of the pure packages can be imported on its own.
        """
        for package in (model, pool, schedulers, wire, testing):
            for found in pkgutil.iter_modules(package.__path__):
                module = importlib.import_module(f"{package.__name__}.{found.name}")
                self.assertTrue(module.__doc__, module.__name__)


class ControlTests(SynchronousTestCase):
    """
    What other programs have written down of the control socket.
    """

    def test_clientAddress(self) -> None:
        """
        Apple's clients know it so.
        """
        command = control.GetClientAddress
        self.assertEqual(command.commandName, b"GetClientAddress")
        self.assertEqual([name for name, _ in command.arguments][:2], [b"host", b"port"])
        self.assertTrue(all(each.optional for _, each in command.arguments[2:]))
        self.assertEqual([name for name, _ in command.response], [b"host", b"port"])
        self.assertEqual(list(command.errors.values()), [b"UNKNOWN_PORT"])

    def test_commands(self) -> None:
        """
        Scripts know these, and these arguments come first in each.
        """
        path = ["service", "group", "host"]
        known = {
            "status": [],
            "events": ["after", "wait"],
            "plan": ["file", "discard"],
            "reload": ["discard"],
            "save": ["overwrite"],
            "drain": [*path, "deadline"],
            "maintenance": [*path, "deadline"],
            "ready": path,
            "setWeight": [*path, "weight"],
            "addHost": [*path, "address", "weight"],
            "delHost": [*path, "address", "force"],
            "switchGroup": ["service", "group"],
            "switchPort": ["listener", "address"],
            "setScheduler": ["service", "group", "scheduler"],
        }
        found = {each.name: [a.name for a in each.arguments] for each in admin.COMMANDS}
        first = {name: found.get(name, [])[: len(given)] for name, given in known.items()}
        self.assertEqual(first, known)

    def test_service(self) -> None:
        self.assertEqual(arguments(admin.controlService), [("lbs", NEEDED), ("path", NEEDED)])

    def test_words(self) -> None:
        """
        So do they know those of the command line, and its exit statuses.
        """
        words = {command.name for command in cli.COMMANDS}
        self.assertLessEqual(
            {
                "status", "top", "drain", "maintenance", "ready", "weight", "add", "remove",
                "switch-group", "switch-port", "scheduler", "reload", "save", "diff", "events",
                "client-address", "check", "passwd", "completion",
            },
            words,
        )  # fmt: skip
        statuses = (
            _command.OK,
            _command.WRONG,
            _command.USAGE,
            _command.NO_BALANCER,
            _command.NO_ANSWER,
            _command.DIFFERENT,
        )
        self.assertEqual(statuses, (0, 1, 2, 3, 4, 5))
