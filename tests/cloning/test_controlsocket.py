"""
Tests for L{txlb.cloning._controlsocket} and L{txlb.cloning._processes}: administrators of an
application whose processes are in this one.
"""

from __future__ import annotations

import errno
import json
import os
import socket
import stat
from types import SimpleNamespace
from typing import Any
from unittest import mock

from twisted.internet.defer import Deferred, succeed
from twisted.python.failure import Failure
from zope.interface import implementer
from zope.interface.verify import verifyObject

from tests.cloning.inside import FIRST_PID, InsideTestCase
from tests.proxy.fakes import logOf
from txlb.admin.control import _door
from txlb.cloning import CloneGroup, CloningError, _pluginloading, _wanted
from txlb.cloning._controlsocket import EXHAUSTED_PAUSE, ControlSocket
from txlb.cloning._kept import Hosts, Kept
from txlb.cloning._permits import PermitEvent
from txlb.cloning._processes import Processes
from txlb.interfaces import IClones, IControlClients, IControlDoor
from txlb.wire import BoxReader, encodeBox

GROUP = "tcp-127.0.0.1-0"


class ControlCase(InsideTestCase):
    def setUp(self) -> None:
        super().setUp()
        # The work for clients is rationed by this clock.
        self.patch(_door, "time", SimpleNamespace(monotonic=lambda: self.reactor.now))

    def begin(self) -> CloneGroup:
        manager = self.group()
        self.until(lambda: self.joined(manager, self.processes))
        return manager

    def kill(self, group: CloneGroup) -> None:
        """
        End the manager as SIGKILL does.
        """
        manager = group.manager
        assert manager is not None
        assert group._rendezvous is not None
        manager.stop()
        for link in tuple(manager.records):
            link.close()
        group.manager = None
        control, group._control = group._control, None
        assert control is not None
        assert control._sock is not None
        control.rest()
        control._sock.close()
        group._rendezvous.unlock()

    @property
    def path(self) -> str:
        return os.path.join(self.folder, "control")

    def administrator(self) -> socket.socket:
        """
        Connect to the control socket, however long its path is.
        """
        client = socket.socket(socket.AF_UNIX)
        self.addCleanup(client.close)
        folder = os.open(self.folder, os.O_PATH)
        try:
            client.connect(f"/proc/self/fd/{folder}/control")
        finally:
            os.close(folder)
        client.setblocking(False)
        return client

    def send(self, client: socket.socket, command: str, **values: str) -> None:
        client.send(encodeBox({"_command": command, "_ask": "1", **values}))

    def received(self, client: socket.socket) -> dict[str, str]:
        reader = BoxReader()
        while True:
            for box in reader.feed(self.answer(client)):
                return box

    def ask(self, command: str, **values: str) -> Any:
        client = self.administrator()
        self.send(client, command, **values)
        return self.rowsOf(self.received(client))

    def rowsOf(self, box: dict[str, str]) -> Any:
        self.assertNotIn("_error", box)
        return json.loads(box["rows"])

    def processes_(self) -> list[dict[str, Any]]:
        return [row for row in self.ask("Status") if row["row"] == "process"]


class StatusTests(ControlCase):
    def test_interface(self) -> None:
        manager = self.begin()
        assert manager.manager is not None
        verifyObject(IClones, Processes(manager, manager.manager))

    def test_rows(self) -> None:
        """
        There is a row for each process, beside those of the listeners and of the clones as
        hosts.
        """
        self.begin()
        self.answer(self.connect())
        self.pass_(0.6)
        rows = self.ask("Status")
        self.assertEqual(
            [row["name"] for row in rows if row["row"] == "host"], ["clone0", "clone1"]
        )
        self.assertEqual(
            [row["addresses"] for row in rows if row["row"] == "listener"],
            [[f"127.0.0.1:{self.port}"]],
        )
        self.assertEqual(
            [(row["served"], row["why"]) for row in rows if row["row"] == "listener"],
            [("grant", "")],
        )
        manager, *clones = [row for row in rows if row["row"] == "process"]
        self.assertEqual(
            {key: manager[key] for key in ("name", "role", "pid", "slot", "generation", "state")},
            {
                "name": "manager",
                "role": "manager",
                "pid": os.getpid(),
                "slot": -1,
                "generation": 0,
                "state": "manages",
            },
        )
        self.assertEqual([each["role"] for each in clones], ["clone"] * 2)
        self.assertEqual([each["slot"] for each in clones], [0, 1])
        self.assertEqual([each["state"] for each in clones], ["serves"] * 2)
        self.assertEqual(sorted(each["connections"] for each in clones), [0, 1])
        for each in (manager, *clones):
            self.assertGreater(each["memory"], 8 << 20)
            self.assertGreaterEqual(each["lag"], 0)

    def test_states(self) -> None:
        """
        A clone may start, be drained, hang, or end.
        """
        manager = self.begin()
        assert manager.manager is not None
        for client in [self.connect() for _ in range(2)]:
            self.answer(client)
        self.ask("Drain", service="clones", group=GROUP, host="clone0")
        first, second = manager.manager.clones
        second.accounts[0].happened(PermitEvent.VOID)
        # It does not answer.
        hung = self.groups[2].clone
        assert hung is not None
        self.reactor.removeReader(hung._link)
        self.assertEqual([row["state"] for row in self.processes_()[1:]], ["drain", "hangs"])
        self.ask("Maintenance", service="clones", group=GROUP, host="clone0")
        self.assertEqual(self.processes_()[1]["state"], "maintenance")
        self.starts = False
        manager.manager.drain(first)
        manager.manager.starts.fill()
        manager.replaceManager().addErrback(lambda _: None)
        rows = self.processes_()
        self.assertEqual(
            [(row["name"], row["role"], row["state"]) for row in rows],
            [
                ("manager", "manager", "manages"),
                ("clone0", "clone", "ends"),
                ("clone1", "clone", "hangs"),
                ("manager", "manager", "starts"),
                ("clone2", "clone", "starts"),
            ],
        )
        self.assertEqual([row["pid"] for row in rows[3:]], [FIRST_PID + 3, FIRST_PID + 2])
        self.assertEqual({(row["lag"], row["memory"]) for row in rows[3:]}, {(None, None)})

    def test_drained(self) -> None:
        """
        A clone that is drained gets nothing new, and its connections go on.
        """
        self.begin()
        before = self.connect()
        name = self.answer(before)
        host = f"clone{int(name) - 1}"
        self.ask("Drain", service="clones", group=GROUP, host=host)
        answers = {self.answer(self.connect()) for _ in range(6)}
        self.assertEqual(len(answers), 1)
        self.assertNotIn(name, answers)
        before.send(b"still there")
        self.assertEqual(self.answer(before), b"still there")
        self.ask("Ready", service="clones", group=GROUP, host=host)
        self.assertIn(name, {self.answer(self.connect()) for _ in range(9)})

    def test_events(self) -> None:
        """
        Events from before the first administrator are there.
        """
        self.begin()
        events = [row for row in self.ask("Events") if row["row"] == "event"]
        self.assertIn("host-added", {row["kind"] for row in events})

    def test_explain(self) -> None:
        self.begin()
        rows = self.ask("Explain", service="clones", group=GROUP)
        self.assertIn("clone0", json.dumps(rows))

    def test_taken(self) -> None:
        """
        The process that takes over serves the socket, and then the heir does.
        """
        first = self.begin()
        before = os.stat(self.path).st_ino
        self.kill(first)
        self.assertRaises(ConnectionRefusedError, self.administrator)
        self.until(lambda: any(each.manager for each in self.groups[1:]))
        self.assertNotEqual(os.stat(self.path).st_ino, before)
        clone = self.processes_()[0]
        self.assertEqual((clone["role"], clone["name"][:5]), ("manager", "clone"))
        self.until(lambda: bool(self.groups[-1].manager))
        heir = self.groups[-1]
        self.until(lambda: self.joined(heir, 2))
        rows = self.processes_()
        self.assertEqual([row["role"] for row in rows], ["manager", "clone", "clone"])
        self.assertEqual(rows[0]["name"], "manager")

    def test_file(self) -> None:
        """
        Only this user can connect; and the file goes with the application.
        """
        manager = self.begin()
        self.assertEqual(stat.S_IMODE(os.stat(self.path).st_mode), 0o600)
        client = self.administrator()
        self.reactor.turn(3)
        manager.stop()
        self.until(lambda: not os.path.exists(self.path))
        self.pass_(1.0)
        self.assertEqual(client.recv(1), b"")


class CommandTests(ControlCase):
    def test_roll(self) -> None:
        """
        The answer comes when the roll is done.
        """
        self.begin()
        client = self.administrator()
        self.send(client, "Roll")
        for _ in range(2):
            stopped = self.reactor.stopped
            self.until(lambda stopped=stopped: self.reactor.stopped > stopped)  # type: ignore[misc]
            for each in self.groups:
                if each.clone is not None and each.clone.draining:
                    each.clone.close()
        [row] = self.rowsOf(self.received(client))
        self.assertEqual((row["row"], row["generation"]), ("rolled", 1))
        self.assertIn("generation 1 serves", row["text"])

    def test_broken(self) -> None:
        """
        Or it says why the roll has stopped.
        """
        self.begin()
        self.starts = False
        client = self.administrator()
        self.send(client, "Roll")
        self.until(lambda: len(self.spawned) == 3)
        self.spawned[-1][1](1, "exit status 7")
        box = self.received(client)
        self.assertEqual(box["_error_code"], "REFUSED")
        self.assertIn("exit status 7", box["_error_description"])

    def test_upgrade(self) -> None:
        """
        The old manager answers, lets its clients go and ends.
        """
        first = self.begin()
        client, waits, idle = (self.administrator() for _ in range(3))
        self.send(client, "Upgrade")
        self.send(waits, "Events", after="1000", wait="60")
        [row] = self.rowsOf(self.received(client))
        self.assertEqual((row["row"], row["pid"]), ("manager", os.getpid()))
        self.until(lambda: self.reactor.stopped == 1)
        self.assertIsNone(first.manager)
        self.assertEqual(self.answer(idle), b"")
        self.assertEqual(self.received(waits)["_error_description"], "the client is gone")
        self.until(lambda: bool(self.groups[-1].manager))
        self.assertEqual(self.processes_()[0]["role"], "manager")


class NumberTests(ControlCase):
    """
    Clones that are added and removed.
    """

    def path_(self, host: str) -> dict[str, str]:
        return {"service": "clones", "group": GROUP, "host": host}

    def refused(self, command: str, **values: str) -> str:
        client = self.administrator()
        self.send(client, command, **values)
        box = self.received(client)
        self.assertIn("_error", box)
        return box["_error_description"]

    def names(self) -> list[str]:
        return [row["name"] for row in self.processes_() if row["state"] != "ends"]

    def test_add(self) -> None:
        """
        A clone that is added gets connections as soon as it has joined.
        """
        manager = self.begin()
        [row] = self.ask("AddHost", **self.path_("clone5"))
        self.assertEqual(row["processes"], 3)
        self.until(lambda: self.joined(manager, 3))
        self.assertEqual(self.names(), ["manager", "clone0", "clone1", "clone5"])
        self.assertEqual(len({self.answer(self.connect()) for _ in range(6)}), 3)

    def test_wrong(self) -> None:
        self.begin()
        for name, words in (
            ("clone1", "clone2 is free"),
            ("clone", "say clone2"),
            ("host1", "say clone2"),
            ("clone01", "clone0 to clone1023"),
            ("clone1024", "clone0 to clone1023"),
            ("clone99999999999999999999", "clone0 to clone1023"),
        ):
            self.assertIn(words, self.refused("AddHost", **self.path_(name)))
        self.assertIn("clone7", self.refused("DelHost", **self.path_("clone7")))
        self.assertEqual(len(self.spawned), 2)

    def test_most(self) -> None:
        self.begin()
        self.patch(_wanted, "MOST_CLONES", 2)
        self.assertIn("at most 2 clones", self.refused("AddHost", **self.path_("clone2")))

    def test_remove(self) -> None:
        """
        A clone that is removed finishes what it has, and no other one comes in its place.
        """
        manager = self.begin()
        clients = [self.connect() for _ in range(2)]
        answers = [self.answer(each) for each in clients]
        [row] = self.ask("DelHost", **self.path_("clone0"))
        self.assertEqual(row["processes"], 1)
        old = clients[answers.index(b"1")]
        old.send(b"still there")
        self.assertEqual(self.answer(old), b"still there")
        self.assertEqual({self.answer(self.connect()) for _ in range(3)}, {b"2"})
        old.close()
        self.until(lambda: self.reactor.stopped == 1)
        assert self.groups[1].clone is not None
        self.groups[1].clone.close()
        self.until(lambda: self.joined(manager, 1))
        self.pass_(3.0)
        self.assertEqual((len(self.spawned), self.names()), (2, ["manager", "clone1"]))
        self.assertIn("is the only clone", self.refused("DelHost", **self.path_("clone1")))

    def test_force(self) -> None:
        """
        Its connections may be reset at once, or after a while.
        """
        manager = self.begin()
        assert manager.manager is not None
        killed: list[int] = []
        self.patch(os, "kill", lambda pid, _: killed.append(pid))
        for client in [self.connect() for _ in range(2)]:
            self.answer(client)
        manager.manager.wanted.add("clone2")
        self.until(lambda: self.joined(manager, 3))
        manager.manager.wanted.remove("clone0", 3.0)
        manager.manager.wanted.remove("clone1", force=True)
        self.assertEqual(len(killed), 1)
        self.pass_(2.5)
        self.assertEqual(len(killed), 1)
        self.pass_(1.0)
        self.assertEqual(len(killed), 2)

    def test_endsEarly(self) -> None:
        """
        A clone that has ended is not killed.
        """
        manager = self.begin()
        assert manager.manager is not None
        killed: list[int] = []
        self.patch(os, "kill", lambda pid, _: killed.append(pid))
        manager.manager.wanted.remove("clone0", 3.0)
        self.until(lambda: self.reactor.stopped == 1)
        assert self.groups[1].clone is not None
        self.groups[1].clone.close()
        self.until(lambda: self.joined(manager, 1))
        self.pass_(4.0)
        self.assertEqual(killed, [])

    def test_stopped(self) -> None:
        manager = self.begin()
        assert manager.manager is not None
        manager.manager.wanted.remove("clone0", 3.0)
        manager.stop()
        self.assertRaises(CloningError, manager.manager.wanted.add, "clone5")
        self.assertRaises(CloningError, manager.manager.wanted.remove, "clone1")


class KeptTests(ControlCase):
    """
    Changes that a new manager knows.
    """

    def change(self) -> CloneGroup:
        manager = self.begin()
        assert manager.manager is not None
        pools = manager.manager.pools
        manager.manager.wanted.add("clone2")
        self.until(lambda: self.joined(manager, 3))
        pools.setWeight("clones", GROUP, "clone0", 5)
        pools.drain("clones", GROUP, "clone1")
        pools.setHost("clones", GROUP, "clone2", maxConnections=7)
        self.reactor.turn(5)
        return manager

    def check(self) -> None:
        heir = self.groups[-1]
        self.until(lambda: bool(heir.manager))
        self.until(lambda: self.joined(heir, 3))
        assert heir.manager is not None
        self.assertEqual(heir.manager.wanted.processes, 3)
        hosts = {
            host.name: (host.weight, host.state, host.maxConnections)
            for host in heir.manager.pools.getGroup("clones", GROUP).hosts
        }
        self.assertEqual(
            hosts,
            {
                "clone0": (5, "ready", None),
                "clone1": (1, "drain", None),
                "clone2": (1, "ready", 7),
            },
        )

    def test_killed(self) -> None:
        """
        A clone that takes over knows them, and the heir does. A clone that was drained
        accepts nothing meanwhile.
        """
        first = self.change()
        drained = self.groups[2]
        self.kill(first)
        answers = {self.answer(self.connect()) for _ in range(5)}
        self.assertNotIn(b"2", answers)
        self.until(lambda: any(birth.heir for birth, _ in self.spawned))
        self.check()
        self.assertEqual(drained.active, 0)
        self.assertNotIn(b"2", {self.answer(self.connect()) for _ in range(5)})
        self.pass_(3.0)
        self.assertEqual(sum(not birth.heir for birth, _ in self.spawned), 3)

    def test_replaced(self) -> None:
        first = self.change()
        first.replaceManager()
        self.check()

    def test_late(self) -> None:
        """
        Changes that come with a clone that joins later count for those that are there.
        """
        manager = self.begin()
        assert manager.manager is not None
        hosts: Hosts = {GROUP: {"clone0": {"weight": 4}, "clone1": {"state": "maintenance"}}}
        manager.manager.wanted.know(Kept(9, 2, hosts))
        found = [
            (each.weight, each.state)
            for each in manager.manager.pools.getGroup("clones", GROUP).hosts
        ]
        self.assertEqual(found, [(4, "ready"), (1, "maintenance")])
        manager.manager.wanted.know(Kept(8, 5, {}))
        self.assertEqual(manager.manager.wanted.processes, 2)

    def test_newProcess(self) -> None:
        """
        A new clone in a place that a former manager had taken out is not taken out.
        """
        manager = self.begin()
        assert manager.manager is not None
        manager.manager.wanted.know(Kept(9, None, {GROUP: {"clone7": {"state": "drain"}}}))
        manager.manager.wanted.add("clone7")
        self.until(lambda: self.joined(manager, 3))
        self.assertEqual(manager.manager.pools.getHost("clones", GROUP, "clone7").state, "ready")
        self.reactor.turn(5)
        self.assertEqual(manager.manager.wanted.kept.hosts, {})

    def test_tooMuch(self) -> None:
        """
        What has no room in a message is not told, and the log says so.
        """
        log = logOf(self)
        self.patch(_wanted, "MOST_KEPT", 5)
        self.change()
        self.assertTrue(any("too much" in str(each.get("log_format")) for each in log))
        assert self.groups[1].clone is not None
        self.assertEqual(self.groups[1].clone.kept, Kept())


@implementer(IControlDoor, IControlClients)
class Door:
    """
    A door that a test sees into.
    """

    modules: tuple[str, ...] = ()

    def __init__(self) -> None:
        self.accepts: list[int] = []
        self.opened = 0

    def open(self, clones: IClones, reactor: object) -> Door:
        self.opened += 1
        return self

    def accepted(self, descriptor: int) -> None:
        self.accepts.append(descriptor)
        os.close(descriptor)

    def close(self) -> Deferred[None]:
        return succeed(None)


def inTurn(*, target: Any, args: tuple[Any, ...], **_named: Any) -> Any:
    """
    Make what stands for a thread.
    """
    return mock.Mock(start=lambda: target(*args))


class SocketTests(ControlCase):
    def setUp(self) -> None:
        super().setUp()
        self.starts = False
        self.door = Door()
        self.plugins: list[Any] = [self.door]
        self.patch(_pluginloading, "getPlugins", lambda _: iter(self.plugins))
        # The threads run here, so that a test knows how long they take.
        self.patch(_pluginloading, "Thread", inTurn)
        self.main = self.group()
        self.reactor.turn(2)

    @property
    def control(self) -> ControlSocket:
        assert self.main._control is not None
        return self.main._control

    def test_lazy(self) -> None:
        """
        The door is opened for the first client, once.
        """
        self.assertEqual(self.door.opened, 0)
        for count in (1, 2):
            self.administrator()
            self.reactor.turn(5)
            self.assertEqual((self.door.opened, len(self.door.accepts)), (1, count))

    def test_steps(self) -> None:
        """
        Modules are loaded one after the other, before anything is accepted, and the reactor turns
        meanwhile.
        """
        loaded: list[str] = []
        self.patch(_pluginloading, "import_module", loaded.append)
        self.door.modules = ("one", "two")
        self.administrator()
        counts = []
        while not self.door.opened:
            self.reactor.turn(1)
            counts.append(len(loaded))
        self.assertEqual(loaded, ["one", "two"])
        self.assertIn(1, counts)
        self.until(lambda: len(self.door.accepts) == 1)

    def test_noDoor(self) -> None:
        """
        If there is none, clients are refused and the log says why.
        """
        log = logOf(self)
        self.plugins.clear()
        self.administrator()
        self.reactor.turn(5)
        self.assertTrue(any("IControlDoor" in str(each.get("log_format")) for each in log))
        self.assertFalse(os.path.exists(self.path))

    def test_brokenPlugins(self) -> None:
        self.patch(_pluginloading, "getPlugins", mock.Mock(side_effect=SyntaxError("a plugin")))
        self.administrator()
        self.reactor.turn(5)
        self.assertEqual(len(self.flushLoggedErrors(SyntaxError)), 1)
        self.assertFalse(os.path.exists(self.path))

    def test_brokenDoor(self) -> None:
        """
        So it is if what it needs is missing.
        """
        self.door.modules = ("txlb.no_such_module",)
        self.administrator()
        self.reactor.turn(5)
        self.assertEqual(len(self.flushLoggedErrors(ModuleNotFoundError)), 1)
        self.assertFalse(os.path.exists(self.path))

    def test_forgotten(self) -> None:
        """
        If the process ends while a module is loaded, the next one is not.
        """
        self.door.modules = ("txlb.one", "txlb.two")
        loaded: list[str] = []

        def load(module: str) -> None:
            loaded.append(module)
            self.control.close()

        self.patch(_pluginloading, "import_module", load)
        self.administrator()
        self.reactor.turn(10)
        self.assertEqual((loaded, self.door.opened), (["txlb.one"], 0))

    def test_closedMeanwhile(self) -> None:
        """
        If the process ends while it loads, nothing is opened.
        """
        self.door.modules = ("os", "os", "os")
        self.administrator()
        self.until(lambda: self.control._call is not None)
        self.successResultOf(self.control.close())
        self.reactor.turn(10)
        self.assertEqual(self.door.opened, 0)

    def test_exhausted(self) -> None:
        """
        Without descriptors clients wait, and the reactor does not turn for nothing.
        """
        log = logOf(self)
        self.control._clients = self.door
        sock = self.control._sock
        full = mock.Mock(wraps=sock)
        full.accept.side_effect = OSError(errno.EMFILE, "Too many open files")
        self.control._sock = full
        self.administrator()
        self.reactor.turn(5)
        self.assertEqual(full.accept.call_count, 1)
        self.assertEqual(sum("clients wait" in str(each.get("log_format")) for each in log), 1)
        self.control._sock = sock
        self.pass_(EXHAUSTED_PAUSE + 0.01)
        self.assertEqual(len(self.door.accepts), 1)

    def test_exhaustedAtTheEnd(self) -> None:
        self.control._clients = self.door
        full = mock.Mock(wraps=self.control._sock)
        full.accept.side_effect = OSError(errno.EMFILE, "Too many open files")
        self.control._sock = full
        self.control.doRead()
        self.successResultOf(self.control.close())
        self.pass_(EXHAUSTED_PAUSE + 0.01)
        self.assertEqual(self.control.fileno(), -1)

    def test_formerOwner(self) -> None:
        """
        Events for the former owner of the descriptor do no harm.
        """
        self.control.doWrite()
        self.control.connectionLost(Failure(ConnectionError()))
        self.assertEqual(self.control.logPrefix(), "txlb.cloning")
        self.administrator()
        self.reactor.turn(5)
        self.assertEqual(len(self.door.accepts), 1)
        control = self.control
        self.successResultOf(control.close())
        control.connectionLost(Failure(ConnectionError()))
        control.doRead()

    def test_otherFile(self) -> None:
        """
        The socket of another process in the same place is not removed.
        """
        os.unlink(self.path)
        open(self.path, "w").close()
        self.successResultOf(self.control.close())
        self.assertTrue(os.path.exists(self.path))

    def test_cannotListen(self) -> None:
        """
        The application goes on without a control socket.
        """
        log = logOf(self)
        rendezvous: Any = mock.Mock(path="/run/x")
        rendezvous.listenForControl.side_effect = OSError(errno.ENOSPC, "No space left on device")
        control = ControlSocket(rendezvous, mock.Mock(), self.reactor)
        control.start()
        self.assertTrue(any("no control socket" in str(each.get("log_format")) for each in log))
        self.successResultOf(control.close())
