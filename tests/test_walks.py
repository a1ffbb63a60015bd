"""
Walks through the code: how many files a reader has to open to follow a change from C{txlb
weight} to the pool. Counts of files don't depend on time or chance.
"""

from __future__ import annotations

import io
import os
import socket
import sys
from collections.abc import Callable
from typing import Any

from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from tests.walks import Walk
from txlb.admin import FULL, Caller, Target, findCommand
from txlb.admin._history import History
from txlb.admin._work import RationedWork
from txlb.admin.control import _clients
from txlb.admin.control._protocol import ControlProtocol
from txlb.cli import _client, main
from txlb.deadlines import Deadlines
from txlb.manager import ProxyManager
from txlb.model import ProxyGroup, ProxyHost, ProxyService

#: How many files may be entered on the way from the command to the pool.
MOST = 20

#: How many files may be entered by the whole program and its balancer: the command line, the
#: wire, the door, the command, the verb, the pool, and the answer back to the shell.
MOST_OF_ALL = 35

#: The verbs of the manager, their arguments behind the service, and how many files each may
#: enter.
VERBS: tuple[tuple[str, tuple[Any, ...], dict[str, Any], int], ...] = (
    ("setWeight", ("prod", "web1", 3), {}, MOST),
    ("drain", ("prod", "web1", 10.0), {}, MOST),
    ("ready", ("prod", "web1"), {}, 22),
    ("maintenance", ("prod", "web1"), {}, MOST),
    ("setHost", ("prod", "web1"), {"maxConnections": 5}, 25),
    ("setGroup", ("prod",), {"maxQueue": 100}, 28),
    ("setAdmission", (), {"ratePerClient": 10}, 22),
)

HOST = {"service": "web", "group": "prod", "host": "web1"}


class Balancer:
    """
    What commands ask of a balancer.
    """

    def __init__(self) -> None:
        hosts = [ProxyHost(f"web{n}", "127.0.0.1", 7000 + n) for n in range(1, 4)]
        groups = [ProxyGroup("prod", enabled=True, hosts=hosts), ProxyGroup("test")]
        services = [ProxyService("web", ["127.0.0.1:8080"], groups)]
        self.manager = ProxyManager(services, seconds=lambda: 5.0)


class Clients:
    """
    What a protocol asks of its owner.
    """

    def __init__(self, deadlines: Deadlines) -> None:
        self.work = RationedWork(deadlines, _clients.COMMANDS, lambda: 0.0)

    def active(self, protocol: ControlProtocol) -> None:
        """
        Do nothing.
        """

    gone = active


class JoinedSocket:
    """
    The socket of a client that is joined to a protocol in the same thread, so that one walk
    leads through both.

    @param protocol: the other end.
    @param transport: its transport.
    """

    def __init__(self, protocol: ControlProtocol, transport: StringTransport) -> None:
        self.protocol = protocol
        self.transport = transport

    def settimeout(self, seconds: float) -> None:
        pass

    def connect(self, path: str) -> None:
        pass

    def close(self) -> None:
        pass

    def sendall(self, data: bytes) -> None:
        self.protocol.dataReceived(data)

    def recv(self, most: int) -> bytes:
        data: bytes = self.transport.value()
        self.transport.clear()
        return data


class WalkCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.balancer = Balancer()
        # The first call imports modules.
        self.balancer.manager.setWeight("web", "prod", "web1", 2)

    def walk(self, do: Callable[[], object]) -> Walk:
        with Walk() as walk:
            do()
        return walk

    def check(self, name: str, walk: Walk, most: int) -> None:
        """
        Compare the files of a walk with their bound.
        """
        files = walk.files
        listed = "".join(f"\n  {each}" for each in files)
        self.assertLessEqual(
            len(files), most, f"{name} enters {len(files)} files; at most {most} are right:{listed}"
        )


class VerbTests(WalkCase):
    def test_verbs(self) -> None:
        """
        A verb enters few files, and does something.
        """
        for name, places, named, most in VERBS:
            verb = getattr(self.balancer.manager, name)
            events: list[object] = []
            walk = self.walk(lambda: events.extend(verb("web", *places, **named)))  # noqa: B023
            self.assertTrue(events, name)
            self.assertIn("manager/_manager.py", walk.files)
            self.check(name, walk, most)

    def test_manyHosts(self) -> None:
        """
        The number of services, groups and hosts has no effect on the walk.
        """
        few = self.walk(lambda: self.balancer.manager.setWeight("web", "prod", "web1", 3))
        hosts = [ProxyHost(f"web{n}", "127.0.0.1", 7000 + n) for n in range(1, 50)]
        services = [
            ProxyService(
                name,
                [f"127.0.0.1:{port}"],
                [ProxyGroup("prod", enabled=True, hosts=hosts), ProxyGroup("test", hosts=hosts)],
            )
            for name, port in (("web", 1), ("mail", 2), ("chat", 3))
        ]
        manager = ProxyManager(services)
        many = self.walk(lambda: manager.setWeight("web", "prod", "web1", 3))
        self.assertEqual(many.steps, few.steps)


class CommandTests(WalkCase):
    def setUp(self) -> None:
        super().setUp()
        clock = Clock()
        deadlines = Deadlines(clock, clock.seconds)
        self.history = History(now=lambda: 1000.0)
        self.target = Target(self.balancer, None, self.history, deadlines)
        self.caller = Caller("uid:7", FULL)
        self.owner = Clients(deadlines)
        self.weigh(1)

    def weigh(self, weight: int) -> object:
        return findCommand("setWeight")(self.target, self.caller, {**HOST, "weight": weight})

    def test_toThePool(self) -> None:
        """
        The command C{weight} of each door enters at most 20 files on its way to the pool.
        """
        command, values = findCommand("setWeight"), {**HOST, "weight": 3}
        answers: list[object] = []
        walk = self.walk(lambda: answers.append(command(self.target, self.caller, values)))
        self.assertEqual(self.balancer.manager.getPool("web").getHost("web1").weight, 3)
        self.assertEqual(walk.files[0], "admin/_command.py")
        self.check("the command weight", walk, MOST)

    def test_whole(self) -> None:
        """
        From the command line through a control socket to the pool, and back to the shell.
        """
        protocol: Any = ControlProtocol(self.owner, self.target, self.caller)  # type: ignore[arg-type]  # all that this asks for
        transport = StringTransport()
        protocol.makeConnection(transport)
        self.patch(socket, "socket", lambda *_kind: JoinedSocket(protocol, transport))
        self.balancer.manager.subscribe(self.history)
        out = io.StringIO()
        self.patch(sys, "stdout", out)
        arguments = ["weight", "web/prod/web1", "4", "--socket", os.devnull]
        walk = self.walk(lambda: main(arguments))
        self.assertEqual(out.getvalue(), "host-weight web/prod/web1: weight 1 -> 4, by uid:7\n")
        self.assertEqual(walk.files[0], "cli/_main.py")
        self.assertIn(f"cli/{os.path.basename(_client.__file__)}", walk.files)
        self.check("txlb weight", walk, MOST_OF_ALL)


class WalkTests(SynchronousTestCase):
    def test_steps(self) -> None:
        """
        A walk has a step for each change of file, and each file once among its files.
        """
        manager = Balancer().manager
        walk = Walk()
        with walk:
            manager.getHost("web", "prod", "web1")
        self.assertEqual(
            walk.steps,
            [
                "manager/_manager.py",
                "manager/_running.py",
                "model/_services.py",
                "model/_groups.py",
            ],
        )
        manager.getHost("web", "prod", "web2")
        self.assertEqual(len(walk.steps), 4)

    def test_notOurs(self) -> None:
        """
        Code outside of the package is no step, and C{sys.setprofile} is as before.
        """
        before = sys.getprofile()
        with Walk() as walk:
            os.path.join("a", "b")
        self.assertEqual((walk.steps, walk.files), ([], ()))
        self.assertIs(sys.getprofile(), before)
