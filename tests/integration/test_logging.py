"""
The balancer's own log file.
"""

from __future__ import annotations

import contextlib
import json
import re
import signal
from pathlib import Path

from tests.integration.support import (
    IntegrationTestCase,
    Program,
    RawHost,
    connect,
    freePorts,
    readAll,
    readExactly,
    waitUntil,
)

CONFIG = """
<config>
  <service name="web">
    <listen ip="127.0.0.1:{port}"/>
    <group name="hosts" enable="yes">
      <host name="dead" ip="127.0.0.1:{dead}"/>
      <host name="host" ip="127.0.0.1:{host}"/>
    </group>
  </service>
  <logging file="txlb.log" connections="yes" {more}/>
</config>
"""

TEXT = re.compile(
    r"^(?P<time>\d{4}-\d\d-\d\dT\S+) (?P<client>[\d.]+:\d+) (?P<service>\S+) "
    r"(?P<group>\S+)/(?P<host>\S+) (?P<connect>-?\d+)/(?P<total>\d+) "
    r"(?P<bytesIn>\d+)/(?P<bytesOut>\d+) (?P<outcome>\S+) (?P<tries>\d+) "
    r"(?P<active>\d+)/(?P<serviceActive>\d+)/(?P<groupActive>\d+)/(?P<hostActive>\d+)$",
    re.MULTILINE,
)


class LogFileTests(IntegrationTestCase):
    """
    C{<logging file="..."/>}
    """

    def setUp(self) -> None:
        super().setUp()
        self.port, self.dead = freePorts(2)
        self.host = RawHost()
        self.addCleanup(self.host.close)
        self.path = self.folder / "txlb.log"

    def startBalancer(self, more: str) -> Program:
        """
        A balancer that logs connections.

        @param more: attributes of the element.
        """
        config = CONFIG.format(port=self.port, dead=self.dead, host=self.host.port, more=more)
        return self.startTxlb(config)

    def exchange(self, question: bytes = b"question", answer: bytes = b"the answer") -> str:
        """
        One connection.

        @return: the client's address, as the log has it.
        """
        with connect(self.port) as client:
            name = ":".join(map(str, client.getsockname()))
            client.sendall(question)
            with self.host.accept() as host:
                self.assertEqual(readExactly(host, len(question)), question)
                host.sendall(answer)
            self.assertEqual(readAll(client), answer)
        return name

    def lines(self, count: int, *paths: Path) -> list[dict[str, str]]:
        """
        Wait until so many connections have been logged.
        """

        def found() -> list[dict[str, str]]:
            texts = [path.read_text("utf-8") for path in paths or (self.path,) if path.exists()]
            return [match.groupdict() for text in texts for match in TEXT.finditer(text)]

        waitUntil(lambda: len(found()) >= count)
        return found()

    def test_text(self) -> None:
        """
        A line for each connection that is over, with what HAProxy's has.
        """
        self.startBalancer("")
        clients = []
        for count in range(1, 6):
            clients.append(self.exchange())
            found = self.lines(count)
        self.assertEqual([line["client"] for line in found], clients)
        for line in found:
            words = tuple(line[key] for key in ("service", "group", "host", "bytesIn", "bytesOut"))
            self.assertEqual(words, ("web", "hosts", "host", "8", "10"))
            self.assertEqual(line["outcome"], "done")
            self.assertGreaterEqual(int(line["total"]), int(line["connect"]))
            self.assertEqual(line["hostActive"], "0")
        # The first one had found the other host dead.
        self.assertEqual([line["tries"] for line in found], ["2", "1", "1", "1", "1"])
        text = self.path.read_text("utf-8")
        self.assertIn("host-down web/hosts/dead", text)
        self.show(next(filter(TEXT.match, text.splitlines())))

    def test_json(self) -> None:
        """
        The same as one object a line, other messages included.
        """
        self.startBalancer('format="json"')
        clients = [self.exchange() for _ in range(5)]

        def records() -> list[dict[str, object]]:
            lines = self.path.read_text("utf-8").splitlines()
            return [record for line in lines if "outcome" in (record := json.loads(line))]

        waitUntil(lambda: len(records()) == 5)
        self.assertEqual([record["client"] for record in records()], clients)
        first = records()[0]
        self.assertEqual(first["host"], "host")
        self.assertEqual((first["bytesIn"], first["bytesOut"], first["tries"]), (8, 10, 2))
        self.assertEqual(first["outcome"], "done")
        for record in records():
            self.assertGreaterEqual(float(str(record["connectTime"])), 0)
        others = [json.loads(line) for line in self.path.read_text("utf-8").splitlines()]
        self.assertTrue(any("host-down" in str(other.get("text")) for other in others))
        self.show(self.path.read_text("utf-8").splitlines()[-1])

    def test_rotation(self) -> None:
        """
        A new file is begun when one is full, and so many old ones are kept.
        """
        self.startBalancer('rotateLength="2048" maxRotated="3"')
        for _ in range(120):
            self.exchange()
        last = self.exchange()
        kept = [self.path.with_name(f"txlb.log.{n}") for n in (3, 2, 1)]

        def isComplete() -> bool:
            # For a moment the old file has been moved away and the new one is not there.
            with contextlib.suppress(FileNotFoundError):
                return last in self.path.read_text("utf-8")
            return False

        waitUntil(isComplete)
        self.assertEqual(sorted(self.folder.glob("txlb.log*")), sorted([self.path, *kept]))
        sizes = [path.stat().st_size for path in (*kept, self.path)]
        # A file is full when the line that filled it has been written.
        self.assertLess(max(sizes), 2048 + 256)
        self.assertGreaterEqual(min(sizes[:3]), 2048)
        self.show(f"121 connections, files of {sizes} bytes at 2048 a file, 3 old ones kept")

    def test_reopening(self) -> None:
        """
        SIGUSR1 opens the file anew, for who moves it away; no line is lost.
        """
        program = self.startBalancer("")
        before = [self.exchange() for _ in range(10)]
        self.lines(10)
        old = self.path.rename(self.folder / "moved")
        between = [self.exchange() for _ in range(10)]
        self.lines(20, old)
        self.assertFalse(self.path.exists())
        program.process.send_signal(signal.SIGUSR1)
        waitUntil(self.path.exists)
        after = [self.exchange() for _ in range(10)]
        self.assertEqual([line["client"] for line in self.lines(10)], after)
        self.assertEqual([line["client"] for line in self.lines(20, old)], before + between)
        self.show("20 connections in the file that was moved, 10 in the new one, none lost")
