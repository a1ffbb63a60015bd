"""
The balancer's own log file.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import signal
import stat
import subprocess
import time
from pathlib import Path

from twisted.trial.unittest import SkipTest

from tests.integration.support import (
    PATIENCE,
    TWISTD,
    IntegrationTestCase,
    Program,
    RawHost,
    connect,
    environment,
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


class LogFileCase(IntegrationTestCase):
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


class LogFileTests(LogFileCase):
    """
    C{<logging file="..."/>}
    """

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
            self.assertGreater(float(str(record["connectTime"])), 0)
            self.assertLess(float(str(record["connectTime"])), PATIENCE)
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

    def test_mode(self) -> None:
        """
        Others can't read it: there are clients' addresses in it, and users' names.
        """
        self.startBalancer("")
        self.assertEqual(stat.S_IMODE(self.path.stat().st_mode), 0o640)

    def test_copyTruncate(self) -> None:
        """
        A rotator copies the file and truncates it (C{copytruncate} of logrotate). What is written
        afterwards stands at the beginning, without zeros before it, in a log of connections as in
        twistd's own; and the file is rotated by what is in it.
        """
        twistd = self.folder / "twistd.log"
        text = CONFIG.format(
            port=self.port, dead=self.dead, host=self.host.port, more='rotateLength="4096"'
        )
        program = self.start(
            *TWISTD, "-n", f"--logfile={twistd}", "txlb", "-c", self.write("config.xml", text)
        )
        waitUntil(lambda: twistd.exists() and "descriptors allow" in twistd.read_text("utf-8"))
        for _ in range(20):
            self.exchange()
        self.lines(20)
        self.assertGreater(self.path.stat().st_size, 2048)
        for log in (self.path, twistd):
            os.truncate(log, 0)
        clients = [self.exchange() for _ in range(20)]
        self.assertEqual([line["client"] for line in self.lines(20)], clients)
        program.process.send_signal(signal.SIGHUP)
        waitUntil(lambda: "SIGHUP" in twistd.read_text("utf-8"))
        for log in (self.path, twistd):
            self.assertNotIn(b"\0", log.read_bytes())
        # It is not full yet, whatever was written before.
        self.assertFalse(self.path.with_name("txlb.log.1").exists())
        for _ in range(40):
            self.exchange()
        waitUntil(self.path.with_name("txlb.log.1").exists)
        self.assertGreaterEqual(self.path.with_name("txlb.log.1").stat().st_size, 4096)

    def test_directoryInTheWay(self) -> None:
        """
        A folder has the name that the old file wants: one line says so, and the present file is
        written on.
        """
        (self.folder / "txlb.log.1").mkdir()
        program = self.startBalancer('rotateLength="1024"')
        clients = [self.exchange() for _ in range(30)]
        self.assertEqual([line["client"] for line in self.lines(30)], clients)
        self.assertEqual(program.output.count("can't rotate the log file"), 1)
        self.assertIn(f"{self.path}.1 is no file; move it elsewhere", program.output)
        self.assertTrue((self.folder / "txlb.log.1").is_dir())

    def test_standardOutput(self) -> None:
        """
        C{/dev/stdout} is written to, among the lines of twistd, and never renamed.
        """
        before = os.lstat("/dev/stdout")
        config = CONFIG.format(
            port=self.port, dead=self.dead, host=self.host.port, more='rotateLength="1024"'
        )
        program = self.startTxlb(config.replace('"txlb.log"', '"/dev/stdout"'))
        clients = [self.exchange() for _ in range(30)]
        waitUntil(lambda: len(TEXT.findall(program.output)) == 30)
        found = [match["client"] for match in TEXT.finditer(program.output)]
        self.assertEqual(found, clients)
        self.assertTrue(os.path.samestat(before, os.lstat("/dev/stdout")))
        self.assertFalse(os.path.lexists("/dev/stdout.1"))

    def test_pipe(self) -> None:
        """
        A named pipe is written to. A program that does not read it does not hold up clients:
        what it has no room for is lost, and counted.
        """
        os.mkfifo(self.path)
        reader = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK)
        self.addCleanup(os.close, reader)
        program = self.startBalancer('rotateLength="1024"')
        client = self.exchange()
        got = b""

        def lineCame() -> bool:
            nonlocal got
            with contextlib.suppress(BlockingIOError):
                got += os.read(reader, 65536)
            return client.encode() in got

        waitUntil(lineCame)
        # The rest of what the pipe holds.
        writer = os.open(self.path, os.O_WRONLY | os.O_NONBLOCK)
        self.addCleanup(os.close, writer)
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(writer, b"x" * 4096)
        for _ in range(30):
            self.exchange()
        waitUntil(lambda: "does not keep up; lines lost so far: 1" in program.output)
        with contextlib.suppress(BlockingIOError):
            while True:
                os.read(reader, 65536)
        client, got = self.exchange(), b""
        waitUntil(lineCame)
        lost = re.search(r"takes lines again; lines lost: (\d+)", program.output)
        assert lost is not None, program.output
        # The last of them may have been logged when there was room.
        self.assertIn(int(lost[1]), (29, 30))
        self.assertTrue(stat.S_ISFIFO(self.path.stat().st_mode))

    def test_noReader(self) -> None:
        """
        A pipe that no program reads is an error that says so, and no wait for one.
        """
        os.mkfifo(self.path)
        config = CONFIG.format(port=self.port, dead=self.dead, host=self.host.port, more="")
        command = (*TWISTD, "-n", "txlb", "-c", str(self.write("config.xml", config)))
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        self.assertEqual(done.returncode, 1)
        self.assertIn("no program reads from it; start that program first", done.stderr)


class FullDiskTests(LogFileCase):
    """
    A disk that is full, be it that of the balancer's log or of twistd's.
    """

    def setUp(self) -> None:
        super().setUp()
        self.disk = self.folder / "disk"
        self.disk.mkdir()
        mount = ("mount", "-t", "tmpfs", "-o", "size=256k", "txlb-test", str(self.disk))
        if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
            raise SkipTest("it takes root, and a machine that lets it mount, to have a small disk")
        self.addCleanup(subprocess.run, ("umount", "-l", str(self.disk)), check=True)
        self.path = self.disk / "txlb.log"

    def fill(self) -> Path:
        """
        Use up the disk.
        """
        filling = self.disk / "filling"
        with filling.open("ab", buffering=0) as file:
            while True:
                try:
                    file.write(b"x" * 4096)
                except OSError as error:
                    self.assertEqual(error.errno, errno.ENOSPC)
                    return filling

    def test_full(self) -> None:
        """
        Clients are served. One line in a minute says what is the matter, without a traceback.
        With room again, the log goes on with whole lines, and says how many were lost.
        """
        config = CONFIG.format(port=self.port, dead=self.dead, host=self.host.port, more="")
        program = self.startTxlb(config.replace('"txlb.log"', f'"{self.path}"'))
        clients = [self.exchange()]
        self.lines(1)
        filling = self.fill()
        # The last page that the log has is filled first.
        while "can't write to the log file" not in program.output:
            clients.append(self.exchange())
            self.assertLess(len(clients), 500)
        clients += [self.exchange() for _ in range(50)]
        before = program.output
        self.assertEqual(before.count("can't write to the log file"), 1, before)
        self.assertIn(f"{os.strerror(errno.ENOSPC)}; lines lost so far: 1", before)
        self.assertNotIn("Traceback", before)
        filling.unlink()
        clients.append(self.exchange())
        waitUntil(lambda: clients[-1] in self.path.read_text("utf-8"))
        program.waitFor(r"takes lines again; lines lost: \d+")
        lost = re.search(r"takes lines again; lines lost: (\d+)", program.output)
        assert lost is not None, program.output
        text = self.path.read_text("utf-8")
        self.assertIn(lost[0], text)
        written = [match["client"] for match in TEXT.finditer(text)]
        self.assertEqual(written[0], clients[0])
        self.assertGreaterEqual(len(clients) - len(written), 50)
        # One or two lines more are those of the other host, which is down and tried again.
        more = int(lost[1]) - (len(clients) - len(written))
        self.assertIn(more, range(5))
        # No line was cut in two.
        self.assertNotIn("\0", text)
        for line in text.splitlines():
            self.assertRegex(line, r"^\d{4}-\d\d-\d\dT")
        self.show(f"{lost[1]} lines lost, one line of {len(before)} bytes of output says so")

    def test_twistd(self) -> None:
        """
        It is so with twistd's log.
        """
        log = self.disk / "twistd.log"
        config = CONFIG.format(port=self.port, dead=self.dead, host=self.host.port, more="")
        path = self.write("config.xml", re.sub("<logging.*/>", "", config))
        program = self.start(*TWISTD, "-n", f"--logfile={log}", "txlb", "-c", path)
        waitUntil(lambda: log.exists() and "descriptors allow" in log.read_text("utf-8"))
        filling = self.fill()
        for _ in range(60):
            program.process.send_signal(signal.SIGHUP)
            time.sleep(0.01)
        filling.unlink()

        def goesOn() -> bool:
            program.process.send_signal(signal.SIGHUP)
            return "takes lines again; lines lost: " in log.read_text("utf-8")

        waitUntil(goesOn)
        self.assertNotIn("Traceback", log.read_text("utf-8") + program.output)
