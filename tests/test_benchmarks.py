"""
The benchmarks work: nothing errs, everybody who is here is measured. No figure
is asserted.
"""

from __future__ import annotations

import functools
import json
import os
import socket
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from benchmarks.figures import Figure, Verdict, figure, judge, noiseOf, percentile, ratio
from benchmarks.peers import AGAIN, BASELINE, DIRECT, FAST, PEERS, PORTABLE, txlbOf
from benchmarks.programs import ROOT, freePort
from benchmarks.report._plots import plotsOf
from benchmarks.report._svg import Dot, dots, lines, page
from benchmarks.report._table import Table
from benchmarks.report._tables import ratioWords
from benchmarks.results import Results
from benchmarks.thresholds import THRESHOLDS, judgeAll
from benchmarks.traffic import (
    PLAIN,
    REQUEST,
    THROUGH_HTTP,
    Backend,
    BulkClient,
    Clients,
    Direction,
    Events,
)
from benchmarks.works import Comparison, Idle, Sample

#: Seconds that the smoke run may take before something hangs.
PATIENCE = 600

SAMPLES = st.lists(st.floats(0.001, 1000.0), min_size=1, max_size=30)


def runModule(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """
    Run a module of ours as a program, to its end.
    """
    environ = dict(os.environ)
    paths = [str(ROOT / "src"), environ.get("PYTHONPATH", "")]
    environ["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    return subprocess.run(
        [sys.executable, "-m", name, *arguments],
        cwd=ROOT,
        env=environ,
        check=False,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )


class SmokeTests(SynchronousTestCase):
    def test_nothingErrs(self) -> None:
        """
        The shortest run ends with status 0, has a sample of each peer for each
        work, and draws plots.
        """
        folder = Path(self.mktemp()).resolve()
        done = runModule("benchmarks", "--smoke", "--results", str(folder))
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        results = json.loads((folder / "results.json").read_text(encoding="utf-8"))
        self.assertEqual(results["errors"], [])
        present = {DIRECT, *results["peers"]}
        self.assertLessEqual({FAST, PORTABLE}, present)
        self.assertEqual(len(present) - 1 + len(results["missing"]), len(PEERS))
        for comparison in results["comparisons"].values():
            self.assertEqual(
                {name for name, found in comparison["samples"].items() if found}, present
            )
        self.assertEqual({idle["peer"] for idle in results["idle"]}, present & {BASELINE, FAST})
        self.assertTrue(all(growth["cpu"] for growth in results["growth"]))
        self.assertEqual(len(results["holding"]), 6)
        self.assertTrue(all(any(web["samples"].values()) for web in results["web"].values()))
        self.assertIn("| txlb fast |", (folder / "results.md").read_text(encoding="utf-8"))
        pictures = sorted(folder.glob("*.svg"))
        self.assertEqual(len(pictures), 7)
        for picture in pictures:
            self.assertEqual(ET.parse(picture).getroot().tag[-3:], "svg")

    def test_plotsWithout(self) -> None:
        """
        Without the baseline the plots show microseconds, and a work without any peer has none.
        """
        sample = {0: Sample(2000.0, 10.0, 0.001, 0.002)}
        for names, expected in (
            ((BASELINE, FAST), {"connections.svg": f"{BASELINE} = 1", "beside-bulk.svg": "ms"}),
            ((FAST,), {"connections.svg": "µs of CPU a connection", "beside-bulk.svg": "ms"}),
            ((), {}),
        ):
            samples = {name: sample if name in names else {} for name in (BASELINE, FAST)}
            results = Results("smoke", "today", {})
            for key in ("connection-32", "mixed"):
                results.comparisons[key] = Comparison(key, key, "connection", samples=samples)
            results.web["page"] = Comparison("page", "page", "page")
            plots = plotsOf(results)
            self.assertEqual(set(plots), set(expected))
            for name, words in expected.items():
                self.assertIn(words, plots[name])

    def test_few(self) -> None:
        """
        One work of a few peers gives a line for each, the first being 1. The relay of another
        interpreter comes last.
        """
        size = ("--rounds", "2", "--seconds", "0.05", "--before", sys.executable)
        done = runModule("benchmarks.few", "request-64", PORTABLE, FAST, *size)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        head, first, second, before = done.stdout.splitlines()
        self.assertIn("request", head)
        self.assertRegex(
            first, rf"^  {PORTABLE} .* µs   1\.00 \(1\.00 to 1\.00\)   p50 1\.00, p99 1\.00$"
        )
        self.assertRegex(second, rf"^  {FAST} .* µs   0\.\d\d .*p50 0\.\d\d, p99 \d\.\d\d$")
        self.assertRegex(before, rf"^  {FAST} before .* µs   0\.\d\d ")

    def test_before(self) -> None:
        """
        The other interpreter finds its own txlb: the code of this checkout is not in its way.
        """
        place: Any = SimpleNamespace(config=Path("/tmp/c.xml"))
        command = txlbOf("/opt/old/bin/python", "fast").command(place)
        self.assertEqual(command[:4], ["env", "-u", "PYTHONPATH", "/opt/old/bin/python"])
        self.assertEqual(command[-2:], ["-c", "/tmp/c.xml"])


class FigureTests(SynchronousTestCase):
    def test_quartiles(self) -> None:
        self.assertEqual(figure([5.0, 1.0, 2.0, 4.0, 3.0]), Figure(3.0, 2.0, 4.0, 5))
        self.assertEqual(figure([7.0]), Figure(7.0, 7.0, 7.0, 1))
        self.assertRaises(ValueError, figure, [])

    @given(SAMPLES)
    def test_order(self, samples: list[float]) -> None:
        """
        The median lies between the quartiles, and these among the samples.
        """
        found = figure(samples)
        self.assertLessEqual(min(samples), found.low * (1 + 1e-9))
        self.assertLessEqual(found.low, found.median * (1 + 1e-9))
        self.assertLessEqual(found.median, found.high * (1 + 1e-9))
        self.assertLessEqual(found.high, max(samples) * (1 + 1e-9))

    def test_ratioInsideRounds(self) -> None:
        """
        Only rounds count in which both were; a machine that is slower in one of
        them changes nothing.
        """
        mine = {0: 2.0, 1: 200.0, 2: 8.0, 3: 5.0}
        others = {0: 1.0, 1: 100.0, 2: 4.0, 4: 1.0}
        self.assertEqual(ratio(mine, others), Figure(2.0, 2.0, 2.0, 3))
        self.assertIsNone(ratio({1: 1.0}, {2: 1.0}))

    def test_percentile(self) -> None:
        samples = [float(number) for number in range(100)]
        self.assertEqual(percentile(samples, 0.5), 50.0)
        self.assertEqual(percentile(samples, 0.99), 99.0)
        self.assertEqual(percentile([3.0], 0.99), 3.0)
        self.assertRaises(ValueError, percentile, [], 0.5)


class VerdictTests(SynchronousTestCase):
    def test_byQuartiles(self) -> None:
        value = Figure(1.0, 0.9, 1.1, 12)
        self.assertEqual(judge(value, 1.2, 0.0), Verdict.MET)
        self.assertEqual(judge(value, 0.8, 0.0), Verdict.NOT_MET)
        self.assertEqual(judge(value, 1.05, 0.0), Verdict.UNRESOLVED)
        self.assertEqual(judge(None, 1.0, 0.0), Verdict.UNKNOWN)

    def test_byNoise(self) -> None:
        """
        What two equals differ by is no difference.
        """
        noise = noiseOf(Figure(1.02, 0.97, 1.3, 12))
        self.assertAlmostEqual(noise, 0.3)
        self.assertEqual(judge(Figure(1.0, 1.0, 1.0, 12), 1.2, noise), Verdict.UNRESOLVED)
        self.assertEqual(noiseOf(None), 0.0)

    def test_eachThreshold(self) -> None:
        """
        What was not measured is neither met nor missed; what was is judged.
        """
        results = Results("smoke", "now", {})
        judged = judgeAll(results)
        self.assertEqual(len(judged), len(THRESHOLDS))
        self.assertEqual({each.verdict for each in judged}, {Verdict.UNKNOWN})
        results.idle.append(Idle(FAST, 5000, 1.2 * 1024, Figure(1.3, 1.2, 1.4, 12)))
        found = {each.threshold.title: each for each in judgeAll(results)}
        memory = found["memory an idle connection, KiB"]
        self.assertEqual((memory.verdict, memory.aimed), (Verdict.MET, Verdict.NOT_MET))
        beside = found["CPU a request beside idle connections, beside none = 1"]
        self.assertEqual(beside.verdict, Verdict.NOT_MET)

    def test_unresolved(self) -> None:
        """
        A ratio that overlaps that of two equals is called unresolved.
        """

        def samples(*cpu: float) -> dict[int, Sample]:
            return {number: Sample(each, 1.0, None, None) for number, each in enumerate(cpu)}

        results = Results("smoke", "now", {})
        results.comparisons["work"] = Comparison(
            "work",
            "work",
            "unit",
            samples={
                BASELINE: samples(10.0, 10.0, 10.0),
                AGAIN: samples(9.0, 10.0, 11.0),
                PORTABLE: samples(20.0, 21.0, 22.0),
                FAST: samples(10.0, 10.2, 10.4),
            },
        )
        self.assertEqual(ratioWords(results, "work", FAST), "1.02 (1.01 to 1.03), unresolved")
        self.assertEqual(ratioWords(results, "work", PORTABLE), "2.10 (2.05 to 2.15)")
        self.assertEqual(ratioWords(results, "work", DIRECT), "-")


class TrafficTests(SynchronousTestCase):
    """
    What goes wrong is counted, whatever it is.
    """

    def setUp(self) -> None:
        self.events = Events()
        self.addCleanup(self.events.close)
        self.backend = Backend(self.events, [("127.0.0.1", freePort())])
        self.addCleanup(self.backend.close)
        self.address = self.backend.addresses[0]

    def fakeHost(self, answer: bytes) -> tuple[str, int]:
        """
        A host that answers anything with these bytes, then closes.
        """
        listener = socket.create_server(("127.0.0.1", 0))
        listener.setblocking(False)

        def accept(_: int) -> None:
            client = listener.accept()[0]
            client.setblocking(False)
            self.events.watch(client, functools.partial(reply, client))

        def reply(client: socket.socket, _: int) -> None:
            client.recv(65536)
            client.sendall(answer)
            self.events.forget(client)

        self.events.watch(listener, accept)
        self.addCleanup(self.events.forget, listener)
        return cast("tuple[str, int]", listener.getsockname()[:2])

    def test_sizes(self) -> None:
        self.assertEqual(len(REQUEST), 64)
        answer = PLAIN.answer
        assert answer is not None
        self.assertEqual(len(answer), 128)

    def test_answers(self) -> None:
        """
        Behind a proxy of bytes every byte counts; behind one of HTTP the body.
        """
        answer = PLAIN.answer
        assert answer is not None
        self.assertTrue(PLAIN.isComplete(answer))
        self.assertFalse(PLAIN.isComplete(answer[:-1]))
        self.assertRaises(ValueError, PLAIN.isComplete, answer + b"x")
        other = answer.replace(b"Server: ", b"Via: other\r\nServer: ")
        self.assertRaises(ValueError, PLAIN.isComplete, other)
        self.assertTrue(THROUGH_HTTP.isComplete(other))
        self.assertFalse(THROUGH_HTTP.isComplete(other[:-1]))
        self.assertRaises(ValueError, THROUGH_HTTP.isComplete, b"HTTP/1.1 503 No\r\n\r\n")

    def test_small(self) -> None:
        for connections in (0, 4):
            clients = Clients(self.events, self.address, PLAIN, 2, connections)
            done = clients.run(0.02)
            clients.close()
            self.backend.whenQuiet()
            self.assertGreaterEqual(done.units, 2)
            self.assertEqual(len(done.latencies), done.units)
        self.assertEqual(self.events.trouble.take(), [])

    def test_bulk(self) -> None:
        size = 3_000_000
        for direction in Direction:
            client = BulkClient(self.events, self.address, direction, 2, size)
            done = client.run(0.01)
            client.close()
            self.backend.whenQuiet()
            self.assertGreaterEqual(done.units, 2 * size)
            self.assertEqual(done.units % size, 0)
        self.assertEqual(self.backend.taken % size, 0)
        self.assertGreater(self.backend.taken, 0)
        self.assertEqual(self.events.trouble.take(), [])

    def test_refused(self) -> None:
        clients = Clients(self.events, ("127.0.0.1", freePort()), PLAIN, 1)
        self.assertEqual(clients.run(0.02).units, 0)
        self.assertNotEqual(self.events.trouble.take(), [])

    def test_shortAnswer(self) -> None:
        clients = Clients(self.events, self.fakeHost(b"HTTP/1.1 "), PLAIN, 1)
        self.assertEqual(clients.run(0.02).units, 0)
        (line,) = self.events.trouble.take()
        self.assertIn("ended before the answer was complete", line)

    def test_otherAnswer(self) -> None:
        clients = Clients(self.events, self.fakeHost(b"x" * 128), PLAIN, 1)
        self.assertEqual(clients.run(0.02).units, 0)
        (line,) = self.events.trouble.take()
        self.assertIn("other bytes", line)

    def test_missingBytes(self) -> None:
        """
        A transfer that ends one byte early is an error.
        """
        answer = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + b"x" * 999
        client = BulkClient(self.events, self.fakeHost(answer), Direction.TO_CLIENT, 1, 1000)
        client.run(0.02)
        (line,) = self.events.trouble.take()
        self.assertIn("1 bytes before the end", line)


class ReportTests(SynchronousTestCase):
    def test_table(self) -> None:
        table = Table("Title", ("", "a"), [("row", "1")], "Remark.")
        self.assertEqual(
            table.markdown(), "## Title\n\nRemark.\n\n|  | a |\n| --- | ---: |\n| row | 1 |\n"
        )
        self.assertIn("   * - row\n     - 1\n", table.restructured())

    @given(SAMPLES, st.text(max_size=10))
    def test_pictures(self, values: list[float], label: str) -> None:
        """
        Whatever the values and words are, it is a picture.
        """
        words = "".join(letter for letter in label if letter.isprintable())
        rows = [Dot(words, value, value / 2, value * 2, True) for value in values]
        panels = [
            dots(f"<{words}>", words, rows, 1.0),
            lines(words, words, words, [(words, {3: value, 30: value * 2}) for value in values]),
        ]
        root = ET.fromstring(page(panels))
        circles = [each for each in root.iter() if each.tag.endswith("circle")]
        self.assertEqual(len(circles), len(values))
        for circle in circles:
            self.assertTrue(0 <= float(circle.attrib["cx"]) <= 440)


class AgentTests(SynchronousTestCase):
    def test_measures(self) -> None:
        """
        A short run names both agents, and the first has the ratio 1.
        """
        done = runModule("benchmarks.agent", "--rounds", "2", "--requests", "20", "--at-once", "2")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertRegex(done.stdout, r"\n  Agent .* µs .* 1\.00 \(1\.00 to 1\.00\)\n")
        self.assertRegex(done.stdout, r"\n  BalancedAgent .* µs ")
