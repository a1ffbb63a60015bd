"""
The attacks of the benchmarks: their messages are well formed, a time is that of its request, and
the table has what was found.
"""

from __future__ import annotations

import socket
import struct
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from unittest import mock

from twisted.conch.ssh.keys import Key
from twisted.trial.unittest import SynchronousTestCase

from benchmarks.attacks import __main__ as program
from benchmarks.attacks import _floods, _pipeline, _tlsfloods, latency
from benchmarks.attacks._attacks import AGAIN, ATTACKS, FIRST, Attack
from benchmarks.attacks._done import Done
from benchmarks.attacks._table import HEAD, Found, table
from benchmarks.attacks.attacker import KINDS
from benchmarks.programs import ROOT
from txlb.wire import BoxReader, ClientHelloError, ClientHelloReader, wholeClientHello


class ListTests(SynchronousTestCase):
    def test_names(self) -> None:
        """
        Each attack has a name of its own, by which C{--only} chooses it.
        """
        names = [attack.name for attack in (FIRST, *ATTACKS, AGAIN)]
        self.assertEqual(len(set(names)), len(names))
        self.assertIsNone(FIRST.command)
        self.assertIsNone(AGAIN.command)

    def test_kinds(self) -> None:
        """
        The attacker knows each attack, and each kind is used.
        """
        balancer: Any = SimpleNamespace(
            ssh=("127.0.0.1", 22),
            control=Path("/run/control"),
            checked=("127.0.0.1", 80),
            probed=("127.0.0.1", 81),
            tls=("127.0.0.1", 443),
        )
        commands = [attack.command(balancer) for attack in ATTACKS if attack.command]
        self.assertEqual({kind for kind, *_ in commands}, set(KINDS))
        self.assertIn(["control", "/run/control"], commands)
        self.assertIn(["ssh-offers", "127.0.0.1", "22", "many"], commands)
        self.assertIn(["headers", "127.0.0.1", "81"], commands)
        self.assertIn(["tls-records", "127.0.0.1", "443"], commands)


class OptionTests(SynchronousTestCase):
    def test_defaults(self) -> None:
        options = program._options([])
        self.assertIsNone(options.only)
        self.assertEqual((options.rounds, options.source), (3, ROOT / "src"))

    def test_only(self) -> None:
        options = program._options(["--only", "ssh ignore", "--only", "control socket"])
        self.assertEqual(options.only, ["ssh ignore", "control socket"])

    def test_unknown(self) -> None:
        with mock.patch("sys.stderr"):
            self.assertRaises(SystemExit, program._options, ["--only", "no such attack"])


class MessageTests(SynchronousTestCase):
    def test_hellos(self) -> None:
        """
        A ClientHello is one, and so is that of many records, but for their number.
        """
        hello = wholeClientHello(_tlsfloods.clientHello())
        assert hello is not None
        self.assertEqual(hello.serverName, _tlsfloods.NAME)
        split = _tlsfloods.longHello()
        self.assertEqual(len(split) % 6, 0)
        whole = b"".join(split[at : at + 1] for at in range(5, len(split), 6))
        found = wholeClientHello(b"\x16\x03\x01" + struct.pack(">H", len(whole)) + whole)
        assert found is not None
        self.assertEqual((found.serverName, len(whole)), (_tlsfloods.NAME, 5400))
        error = self.assertRaises(ClientHelloError, ClientHelloReader().feed, split)
        self.assertIn("records", str(error))

    def test_packets(self) -> None:
        """
        RFC 4253, section 6: a packet without a cipher is a multiple of 8 bytes, with at least
        4 of padding.
        """
        for size in range(40):
            packet = _floods._packet(b"x" * size)
            length, padding = struct.unpack_from(">IB", packet)
            self.assertEqual(len(packet) % 8, 0)
            self.assertEqual(length, len(packet) - 4)
            self.assertGreaterEqual(padding, 4)
            self.assertEqual(length - padding - 1, size)

    def test_ignore(self) -> None:
        length, padding, kind, data = struct.unpack_from(">IBBI", _floods.IGNORE)
        self.assertEqual(len(_floods.IGNORE), 4 + length)
        self.assertEqual((kind, data), (2, 0))
        self.assertEqual(length, 1 + 1 + 4 + padding)

    def test_publicKey(self) -> None:
        key = Key.fromString(_floods.publicKey())
        self.assertEqual((key.type(), key.isPublic()), ("Ed25519", True))

    def test_exchanges(self) -> None:
        """
        What begins an exchange is two packets: the offer of that exchange, and a key for it.
        """
        for exchange, size in ((b"ecdh-sha2-nistp521", 133), (b"curve25519-sha256", 32)):
            data = _floods._beginning(exchange)
            (length,) = struct.unpack_from(">I", data)
            first, second = data[: 4 + length], data[4 + length :]
            self.assertEqual(first[5], _floods.KEXINIT)
            self.assertIn(_floods._string(exchange), first)
            self.assertEqual(second[5], _floods.KEX_INIT)
            self.assertEqual(struct.unpack_from(">I", second, 6), (size,))

    def test_commands(self) -> None:
        """
        The control socket's own reader takes the commands.
        """
        box = _pipeline._box(_command=b"Status", _ask=b"1")
        self.assertEqual(BoxReader().feed(box * 2), [{"_command": "Status", "_ask": "1"}] * 2)


class LatencyTests(SynchronousTestCase):
    def clock(self) -> SimpleNamespace:
        """
        Put a clock that only the test moves on in the place of the system's.
        """
        clock = SimpleNamespace(now=0.0)

        def sleep(seconds: float) -> None:
            clock.now += seconds

        clock.perf_counter = lambda: clock.now
        clock.sleep = sleep
        self.patch(latency, "time", clock)
        return clock

    def test_each(self) -> None:
        """
        There is a time for each request that was due; a failed one has waited for the longest.
        """
        asked: list[float] = []
        clock = self.clock()

        def ask() -> None:
            asked.append(clock.now)
            clock.now += 0.25
            if len(asked) == 2:
                raise ConnectionResetError("by the host")

        taken = latency.measure(ask, 0.5, 2.5)
        self.assertEqual(taken, [0.25, latency.PATIENCE, 0.25, 0.25, 0.25])
        self.assertEqual(asked, [0.0, 0.5, 1.0, 1.5, 2.0])

    def test_slow(self) -> None:
        """
        Requests that are not made, as the ones before took so long, count with the time that
        they would have waited at least.
        """
        clock = self.clock()

        def ask() -> None:
            clock.now += 4.0

        self.assertEqual(latency.measure(ask, 0.1, 0.5), [4.0, 3.9, 3.9, 3.9, 3.9])

    def test_cutOff(self) -> None:
        """
        A host that closes before its answer is complete has failed.
        """
        ours, theirs = socket.socketpair()
        self.addCleanup(ours.close)
        theirs.sendall(b"HTTP/1.1 200 OK\r\n")
        theirs.close()
        self.assertRaises(OSError, latency._ask, ours)


class TableTests(SynchronousTestCase):
    def test_table(self) -> None:
        """
        Times are in milliseconds, rates for each second of the attack.
        """
        done = Done()
        done.happened("offers", 40)
        done.happened("offers", 20)
        found = Found(
            kept=[[0.001] * 9, [0.003] * 9, [0.002] * 9],
            fresh=[[0.004]],
            logins=[2.0, None, 4.0],
            counts=cast("dict[str, int]", done.counts),
            seconds=30.0,
        )
        head, first, second = table({Attack("one", "text"): found, FIRST: Found()}).splitlines()
        self.assertEqual(head.split("  ")[0], HEAD[0])
        self.assertIn("2.00 (1.00 to 3.00)", first)
        self.assertIn("4.00  ", first)
        self.assertIn("2 of 3, 3.0 s", first)
        self.assertTrue(first.endswith("2 offers/s"), first)
        self.assertEqual(second.split(), ["none", "-", "-", "-", "-", "-"])
