"""
Tests for L{txlb.admin.control._protocol}, L{txlb.admin.control._clients} and
L{txlb.admin.control._wire}.
"""

from __future__ import annotations

import json
import os
import random
import socket
import struct
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.error import ConnectionDone
from twisted.internet.testing import StringTransport
from twisted.protocols import amp
from twisted.python.failure import Failure

from tests.admin.targets import FakeBalancer
from tests.proxy.fakes import ReactorCase
from txlb.admin._access import FULL, READONLY, Caller
from txlb.admin._commands import COMMANDS
from txlb.admin._history import History
from txlb.admin._target import Target
from txlb.admin._work import RationedWork
from txlb.admin.control import (
    WIRE_COMMANDS,
    GetClientAddress,
    More,
    UnknownPortError,
    _clients,
)
from txlb.admin.control._answers import PAGE, Answer
from txlb.admin.control._clients import Clients, peerUser
from txlb.admin.control._protocol import MAX_REQUEST, MAX_WAITING, ControlProtocol
from txlb.admin.control._wire import ERROR_CODES, TooBusyError, UnknownNameError
from txlb.admin.login._peerchecker import userText
from txlb.model import Listener
from txlb.proxy import ClientConnection


class Wire(StringTransport):
    """
    A transport that can be aborted, and that is full when a test says so.
    """

    def __init__(self) -> None:
        super().__init__()
        self.aborted = False
        self.full = False

    def write(self, data: bytes) -> None:
        super().write(data)
        if self.full and self.producer is not None:
            self.producer.pauseProducing()

    def abortConnection(self) -> None:
        self.aborted = True
        self.disconnecting = True


def request(command: str, **values: str) -> bytes:
    box = amp.Box({amp.COMMAND: command.encode("utf-8"), amp.ASK: b"1"})
    for name, value in values.items():
        box[name.encode("utf-8")] = value.encode("utf-8")
    serialized: bytes = box.serialize()
    return serialized


class ProtocolCase(ReactorCase):
    def setUp(self) -> None:
        super().setUp()
        self.balancer = FakeBalancer()
        history = History()
        self.balancer.manager.subscribe(history)
        self.target = Target(self.balancer, None, history, self.deadlines)
        self.spent = 0.0
        work = RationedWork(self.deadlines, _clients.COMMANDS, lambda: self.spent)
        self.clients = Clients(self.target, self.reactor, self.deadlines, 3, work)

    def client(self) -> tuple[ControlProtocol, Wire]:
        protocol = ControlProtocol(self.clients, self.target, Caller("uid:7 (test)", FULL))
        self.clients._clients[protocol] = None
        wire = Wire()
        protocol.makeConnection(wire)
        return protocol, wire

    def answers(self, wire: Wire) -> list[Any]:
        found = amp.parseString(wire.value())
        wire.clear()
        return list(found)

    def ask(self, command: str, **values: str) -> Any:
        protocol, wire = self.client()
        protocol.dataReceived(request(command, **values))
        (answer,) = self.answers(wire)
        return answer

    def refused(self, command: str, **values: str) -> tuple[str, str]:
        answer = self.ask(command, **values)
        self.assertEqual(answer[amp.ERROR], b"1")
        return answer[amp.ERROR_CODE].decode(), answer[amp.ERROR_DESCRIPTION].decode()


class AnswerTests(ProtocolCase):
    def test_status(self) -> None:
        answer = self.ask("Status")
        self.assertEqual(answer[b"more"], b"False")
        rows = json.loads(answer[b"rows"])
        self.assertEqual(rows[0]["row"], "listener")
        self.assertEqual(rows[-1]["row"], "file")

    def test_change(self) -> None:
        (row,) = json.loads(
            self.ask("SetWeight", service="web", group="prod", host="h0", weight="5")[b"rows"]
        )
        self.assertEqual(row["by"], "uid:7 (test)")
        self.assertEqual(self.balancer.manager.getHost("web", "prod", "h0").weight, 5)

    def test_errors(self) -> None:
        """
        Each has its code, and says what would be right.
        """
        host = {"service": "web", "group": "prod", "host": "h0"}
        for command, values, code, text in (
            ("SetWeight", {**host, "weight": "70000"}, "WRONG_VALUE", "65535"),
            ("SetWeight", {**host, "weight": "x"}, "WRONG_VALUE", "weight: 'x' is not a whole"),
            ("SetWeight", host, "WRONG_VALUE", "SetWeight needs weight"),
            ("SetWeight", {**host, "wieght": "1"}, "WRONG_VALUE", "did you mean 'weight'?"),
            ("SetWeight", {**host, "host": "h7", "weight": "1"}, "UNKNOWN_NAME", "h7"),
            ("DelHost", {**host, "address": "127.0.0.1:1"}, "WRONG_VALUE", "nothing was removed"),
            ("GetClientAddress", {"host": "10.0.0.1"}, "WRONG_VALUE", "needs port"),
            ("More", {}, "BUSY", "no answer of which there could be more"),
            ("Frob", {}, "UNHANDLED", "no command is called 'Frob'"),
        ):
            found = self.refused(command, **values)
            self.assertEqual(found[0], code)
            self.assertIn(text, found[1])

    def test_access(self) -> None:
        """
        The access is that of the client's avatar; a refusal names it and that which is needed.
        """
        protocol, wire = self.client()
        protocol.caller = Caller("uid:7 (test)", READONLY)
        protocol.dataReceived(request("Drain", service="web", group="prod", host="h0"))
        (answer,) = self.answers(wire)
        self.assertEqual(answer[amp.ERROR_CODE], b"ACCESS_DENIED")
        self.assertEqual(
            answer[amp.ERROR_DESCRIPTION],
            b"drain needs operator access, and uid:7 (test) has readonly access",
        )
        self.assertEqual(self.balancer.manager.getHost("web", "prod", "h0").state, "ready")

    def test_longError(self) -> None:
        """
        A message is cut to what AMP has room for.
        """
        code, text = self.refused("Frob" + "x" * 60_000)
        self.assertEqual(code, "UNHANDLED")
        self.assertLess(len(text), 1000)

    def test_unexpected(self) -> None:
        """
        What should not happen costs neither the connection nor anybody else, and is
        logged.
        """
        self.patch(self.balancer, "getProxyNames", lambda: list[str]().pop())
        protocol, wire = self.client()
        protocol.dataReceived(request("Status") + request("Events"))
        first, second = self.answers(wire)
        self.assertEqual(first[amp.ERROR_CODE], b"UNKNOWN")
        self.assertIn(b"the balancer's log says more", first[amp.ERROR_DESCRIPTION])
        self.assertIn(b"rows", second)
        self.assertEqual(len(self.flushLoggedErrors(IndexError)), 1)
        self.assertFalse(wire.aborted)

    def test_pages(self) -> None:
        """
        A large balancer's status comes in pages, of which one is made at a time.
        """
        self.balancer = FakeBalancer(hosts=2000)
        self.target = Target(self.balancer, None, History(), self.deadlines)
        protocol, wire = self.client()
        rows, pages = [], 0
        protocol.dataReceived(request("Status"))
        while True:
            (answer,) = self.answers(wire)
            self.assertLessEqual(len(answer[b"rows"]), PAGE)
            rows += json.loads(answer[b"rows"])
            pages += 1
            if answer[b"more"] == b"False":
                break
            protocol.dataReceived(request("More"))
        self.assertGreater(pages, 5)
        names = [row["name"] for row in rows if row["row"] == "host"]
        self.assertEqual(names, [f"h{number}" for number in range(2000)])
        protocol.dataReceived(request("More"))
        self.assertEqual(self.answers(wire)[0][amp.ERROR_CODE], b"BUSY")

    def test_withTwisted(self) -> None:
        """
        The commands of the list, as Twisted's own client calls them.
        """
        protocol, wire = self.client()
        client = amp.AMP()
        far = Wire()
        client.makeConnection(far)

        errors: list[Exception] = []

        def call(command: Any, **values: Any) -> Any:
            answered = client.callRemote(command, **values)
            answered.addErrback(lambda failure: errors.append(failure.value))
            protocol.dataReceived(far.value())
            far.clear()
            client.dataReceived(wire.value())
            wire.clear()
            return answered

        rows = self.successResultOf(
            call(WIRE_COMMANDS["SetWeight"], service="web", group="prod", host="h0", weight=9)
        )
        self.assertEqual(rows["more"], False)
        self.assertEqual(json.loads(rows["rows"])[0]["kind"], "host-weight")
        self.balancer.known["10.0.0.1", 7, None, None] = ("192.0.2.1", 9)
        found = self.successResultOf(call(GetClientAddress, host=b"10.0.0.1", port=7))
        self.assertEqual(found, {"host": b"192.0.2.1", "port": 9})
        call(More)
        call(WIRE_COMMANDS["SetWeight"], service="web", group="x", host="h", weight=1)
        call(GetClientAddress, host=b"10.0.0.2", port=7)
        self.reactor.pump([0] * 5)
        client.dataReceived(wire.value())
        self.assertEqual(
            [type(e) for e in errors], [TooBusyError, UnknownNameError, UnknownPortError]
        )
        codes = {code.encode("ascii") for _, code in ERROR_CODES}
        self.assertEqual({*More.errors.values(), *GetClientAddress.errors.values()}, codes)
        self.assertEqual(set(WIRE_COMMANDS), {command.wireName for command in COMMANDS})


class ClientAddressTests(ProtocolCase):
    def test_known(self) -> None:
        self.balancer.known["10.0.0.1", 7, "10.0.0.2", 80] = ("192.0.2.1", 9)
        answer = self.ask(
            "GetClientAddress", host="10.0.0.1", port="7", serverHost="10.0.0.2", serverPort="80"
        )
        self.assertEqual((answer[b"host"], answer[b"port"]), (b"192.0.2.1", b"9"))

    def test_soon(self) -> None:
        """
        The host may hear of a connection a moment before the balancer does.
        """
        protocol, wire = self.client()
        protocol.dataReceived(request("GetClientAddress", host="10.0.0.1", port="7"))
        self.assertEqual(wire.value(), b"")
        self.balancer.known["10.0.0.1", 7, None, None] = ("192.0.2.1", 9)
        self.reactor.advance(0)
        (answer,) = self.answers(wire)
        self.assertEqual(answer[b"host"], b"192.0.2.1")

    def test_unknown(self) -> None:
        """
        One that stays unknown is told after a few turns.
        """
        protocol, wire = self.client()
        protocol.dataReceived(request("GetClientAddress", host="10.0.0.1", port="7"))
        self.reactor.pump([0] * 5)
        (answer,) = self.answers(wire)
        self.assertEqual(answer[amp.ERROR_CODE], b"UNKNOWN_PORT")
        self.assertIn(b"10.0.0.1 port 7", answer[amp.ERROR_DESCRIPTION])
        self.assertEqual(self.balancer.questions, 4)

    def test_many(self) -> None:
        """
        However many are asked for at once, each is answered.
        """
        protocol, wire = self.client()
        ports = range(1, 301)
        data = [request("GetClientAddress", host="10.0.0.1", port=str(port)) for port in ports]
        protocol.dataReceived(b"".join(data))
        for port in ports:
            self.balancer.known["10.0.0.1", port, None, None] = ("192.0.2.1", port)
        self.reactor.advance(0)
        self.assertEqual([int(answer[b"port"]) for answer in self.answers(wire)], list(ports))

    def test_gone(self) -> None:
        """
        Who goes meanwhile leaves nothing behind.
        """
        protocol, _ = self.client()
        protocol.dataReceived(request("GetClientAddress", host="10.0.0.1", port="7"))
        protocol.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.assertEqual(protocol._waiting, set())


class BoundsTests(ProtocolCase):
    def test_noAMP(self) -> None:
        """
        What is no AMP ends the connection.
        """
        for garbage in (
            b"GET / HTTP/1.0\r\n\r\n",
            b"\xff" * 70_000,
            b"\0\0",
            amp.Box({b"a": b"b"}).serialize(),
            amp.Box({amp.ANSWER: b"1"}).serialize(),
            amp.Box({amp.ERROR: b"1"}).serialize(),
        ):
            protocol, wire = self.client()
            protocol.dataReceived(garbage)
            self.assertTrue(wire.aborted, garbage[:20])
            protocol.dataReceived(request("Status"))
            self.assertEqual(wire.value(), b"")

    def test_longRequest(self) -> None:
        """
        A request that does not end is not kept.
        """
        protocol, wire = self.client()
        sent = 0
        while not wire.aborted:
            protocol.dataReceived(
                struct.pack("!H", 1) + b"k" + struct.pack("!H", 1000) + b"v" * 1000
            )
            sent += 1005
            self.assertLess(sent, 2 * MAX_REQUEST)

    def test_longestRequest(self) -> None:
        """
        One that is as long as it may be is read, and so is the next.
        """
        protocol, wire = self.client()
        long = request("Status", x="y" * 65_000)
        protocol.dataReceived(long + long)
        self.assertEqual([a[amp.ERROR_CODE] for a in self.answers(wire)], [b"WRONG_VALUE"] * 2)

    def test_doesNotRead(self) -> None:
        """
        Who does not read the answers is not read either.
        """
        protocol, wire = self.client()
        wire.full = True
        protocol.dataReceived(request("Status") * 1000)
        self.assertEqual(len(self.answers(wire)), 1)
        self.assertEqual(wire.producerState, "paused")
        wire.full = False
        protocol.resumeProducing()
        self.assertEqual(len(self.answers(wire)), 999)

    def test_waiting(self) -> None:
        """
        Only so many requests of one client wait.
        """
        protocol, wire = self.client()
        protocol.dataReceived(request("Events", after="0", wait="60") * (MAX_WAITING + 2))
        self.assertEqual([a[amp.ERROR_CODE] for a in self.answers(wire)], [b"BUSY"] * 2)
        protocol.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(len(self.deadlines), 0)

    def test_answerFails(self) -> None:
        """
        An answer that can't be sent is logged, and ends the connection.
        """
        protocol, wire = self.client()
        protocol.unhandledError(Failure(ValueError("no")))
        self.assertTrue(wire.aborted)
        protocol.unhandledError(Failure(ValueError("known already")))
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_descriptors(self) -> None:
        """
        A descriptor that is sent along is closed.
        """
        protocol, wire = self.client()
        reading, writing = os.pipe()
        self.addCleanup(os.close, reading)
        protocol.fileDescriptorReceived(writing)
        self.assertRaises(OSError, os.fstat, writing)
        self.assertTrue(wire.aborted)

    @settings(max_examples=150)
    @given(st.binary(max_size=300), st.integers(1, 50), st.integers(0, 2**32))
    def test_anything(self, garbage: bytes, size: int, seed: int) -> None:
        """
        Whatever is sent, in whatever pieces, nothing is raised.
        """
        source = random.Random(seed)
        good = request("Status")
        protocol, wire = self.client()
        data = good + garbage if source.random() < 0.5 else garbage
        for begin in range(0, len(data), size):
            protocol.dataReceived(data[begin : begin + size])
        protocol.connectionLost(Failure(ConnectionDone()))
        self.reactor.pump([0] * 5)
        if data.startswith(good):
            self.assertTrue(wire.value().startswith(b"\x00\x07_answer"))


#: What a command takes in these tests, in seconds.
COMMAND_TIME = 0.75 * _clients.COMMANDS.slice


class TurnTests(ProtocolCase):
    """
    However much is asked for at once, others have their turn: HAProxy's command line works off one
    command a turn likewise.
    """

    def setUp(self) -> None:
        super().setUp()
        self.commands: list[str] = []
        setWeight = self.balancer.manager.setWeight

        def slowly(service: str, group: str, host: str, weight: int) -> Any:
            self.commands.append(f"{host}:{weight}")
            self.spent += COMMAND_TIME
            return setWeight(service, group, host, weight)

        self.patch(self.balancer.manager, "setWeight", slowly)

    def many(self, host: str, count: int) -> bytes:
        names = {"service": "web", "group": "prod", "host": host}
        return b"".join(
            request("SetWeight", **names, weight=str(number)) for number in range(1, count + 1)
        )

    def test_pipelined(self) -> None:
        """
        Of one write of many commands some are done in a turn, and all in the end, in order.
        """
        protocol, wire = self.client()
        protocol.dataReceived(self.many("h0", 300))
        self.assertEqual(self.commands, ["h0:1", "h0:2"])
        self.assertEqual(wire.producerState, "paused")
        self.reactor.advance(0)
        self.assertEqual(len(self.commands), 2)
        self.reactor.advance(2 * _clients.COMMANDS.pause)
        self.assertEqual(len(self.commands), 4)
        self.reactor.pump([0.01] * 1000)
        self.assertEqual(self.commands, [f"h0:{number}" for number in range(1, 301)])
        self.assertEqual(len(self.answers(wire)), 300)
        self.assertEqual(wire.producerState, "producing")

    def test_share(self) -> None:
        """
        Whoever asks for more without end gets a fifth of the time, beside what was saved up.
        """
        ration = _clients.COMMANDS
        protocol, _ = self.client()
        protocol.dataReceived(self.many("h0", 3000))
        self.reactor.pump([0.001] * 10_000)
        allowed = ration.saved + 10 * ration.share
        self.assertLess(self.spent, allowed + 0.01)
        self.assertGreater(self.spent, allowed - 0.1)

    def test_others(self) -> None:
        """
        Another client has its turn before the second next of those commands.
        """
        first, second = self.client(), self.client()
        first[0].dataReceived(self.many("h0", 1000))
        self.commands.clear()
        second[0].dataReceived(self.many("h1", 1))
        self.reactor.advance(0.002)
        self.assertIn("h1:1", self.commands)
        self.reactor.pump([0.002] * 3)
        self.assertEqual(len(self.answers(second[1])), 1)

    def test_oneByOne(self) -> None:
        """
        Who waits for each answer is answered at once.
        """
        for number in range(20):
            self.ask("SetWeight", service="web", group="prod", host="h0", weight=str(number))
            self.reactor.advance(0.002)

    def test_longAnswer(self) -> None:
        """
        A page is made in slices.
        """
        self.balancer = FakeBalancer(hosts=2000)
        self.target = Target(self.balancer, None, History(), self.deadlines)
        goOn = Answer.goOn

        def slowly(answer: Answer) -> bool:
            self.spent += _clients.COMMANDS.slice
            return goOn(answer)

        self.patch(Answer, "goOn", slowly)
        protocol, wire = self.client()
        protocol.dataReceived(request("Status"))
        turns = 0
        while not wire.value():
            before = self.spent
            self.reactor.advance(0.002)
            self.assertLessEqual(self.spent - before, 3 * _clients.COMMANDS.slice)
            turns += 1
        self.assertGreater(turns, 3)
        (answer,) = self.answers(wire)
        self.assertGreater(len(json.loads(answer[b"rows"])), 100)

    def test_answersAtOnce(self) -> None:
        """
        An answer that was waited for comes while another one is being made: both are told.
        """
        protocol, wire = self.client()
        wait = request("Events", after="0", wait="60")
        protocol.dataReceived(wait * 2 + request("Status"))
        self.assertEqual(len(self.answers(wire)), 1)
        self.balancer.manager.setWeight("web", "prod", "h1", 9)
        self.reactor.pump([0.01] * 10)
        rows = [json.loads(answer[b"rows"]) for answer in self.answers(wire)]
        self.assertEqual([each[0]["kind"] for each in rows], ["host-weight"] * 2)

    def test_waitsForItsReader(self) -> None:
        """
        What was waited for is made when the client reads again.
        """
        protocol, wire = self.client()
        protocol.dataReceived(request("Events", after="0", wait="60"))
        protocol.pauseProducing()
        self.balancer.manager.setWeight("web", "prod", "h1", 9)
        self.reactor.pump([0.01] * 10)
        self.assertEqual(wire.value(), b"")
        protocol.resumeProducing()
        self.assertEqual(len(self.answers(wire)), 1)

    def test_pausedMeanwhile(self) -> None:
        """
        A client that stops reading before its turn comes waits until it reads.
        """
        first, second = self.client(), self.client()
        first[0].dataReceived(self.many("h0", 3))
        second[0].dataReceived(self.many("h1", 1))
        second[0].pauseProducing()
        self.reactor.pump([0.01] * 10)
        self.assertNotIn("h1:1", self.commands)
        second[0].resumeProducing()
        self.assertIn("h1:1", self.commands)

    def test_gone(self) -> None:
        """
        What a client has asked for that goes is not done.
        """
        protocol, _ = self.client()
        protocol.dataReceived(self.many("h0", 100))
        protocol.connectionLost(Failure(ConnectionDone()))
        self.reactor.pump([0.01] * 100)
        self.assertEqual(len(self.commands), 2)

    def test_goneWithAPage(self) -> None:
        self.balancer = FakeBalancer(hosts=2000)
        self.target = Target(self.balancer, None, History(), self.deadlines)
        self.clients.work._earliest = 1.0
        protocol, wire = self.client()
        protocol.dataReceived(request("Status"))
        protocol._box, box = None, protocol._box
        amp.BoxDispatcher.ampBoxReceived(protocol, box)
        protocol.connectionLost(Failure(ConnectionDone()))
        self.reactor.pump([0.5] * 4)
        self.assertNotIn(b"rows", wire.value())

    def test_dropped(self) -> None:
        protocol, _ = self.client()
        protocol.dataReceived(self.many("h0", 100))
        protocol.drop("")
        self.reactor.pump([0.01] * 100)
        self.assertEqual(len(self.commands), 2)


class ClientsTests(ProtocolCase):
    def come(self) -> socket.socket:
        near, far = socket.socketpair()
        self.addCleanup(far.close)
        self.clients.accepted(ClientConnection(near.detach(), "", Listener("unix:/run/control")))
        return far

    def test_user(self) -> None:
        near, far = socket.socketpair()
        self.addCleanup(near.close)
        self.addCleanup(far.close)
        self.assertEqual(peerUser(near), os.getuid())
        self.assertIn(f"uid:{os.getuid()}", userText(os.getuid()))
        self.assertEqual(userText(4_000_000), "uid:4000000")
        self.assertEqual(userText(None), "control socket")

    def test_systemDoesNotTell(self) -> None:
        self.patch(socket, "SO_PEERCRED", None)
        near, far = socket.socketpair()
        self.addCleanup(near.close)
        self.addCleanup(far.close)
        self.assertIsNone(peerUser(near))

    def test_own(self) -> None:
        """
        Our own user and root get in.
        """
        self.come()
        self.assertEqual(len(self.reactor.adopted), 1)
        self.assertEqual(len(self.clients), 1)

    def test_stranger(self) -> None:
        """
        Anybody else does not.
        """
        self.patch(os, "geteuid", lambda: 12345)
        self.patch(_clients, "peerUser", lambda _: 54321)
        far = self.come()
        self.assertEqual(far.recv(1), b"")
        self.assertEqual(self.reactor.adopted, [])
        self.assertEqual(len(self.clients), 0)

    def test_room(self) -> None:
        """
        The one that has been silent for longest makes room.
        """
        first, second, third = (self.client() for _ in range(3))
        first[0].dataReceived(b"\0")
        self.come()
        self.assertEqual([wire.aborted for _, wire in (first, second, third)], [False, True, False])
        self.assertEqual(len(self.clients), 3)

    def test_dropAll(self) -> None:
        protocol, wire = self.client()
        gone = self.clients.dropAll()
        self.assertTrue(wire.aborted)
        self.assertNoResult(gone)
        protocol.connectionLost(Failure(ConnectionDone()))
        self.successResultOf(gone)
        self.successResultOf(self.clients.dropAll())

    def test_notAdopted(self) -> None:
        """
        Where the reactor can't take one, it is not counted.
        """

        def fails(*_: object) -> None:
            raise OSError("no")

        self.patch(self.reactor, "adoptStreamConnection", fails)
        self.assertRaises(OSError, self.come)
        self.assertEqual(len(self.clients), 0)
