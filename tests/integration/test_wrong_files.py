"""
Configuration files that are wrong, and listeners that can't be had.
"""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

from tests.integration.support import (
    PATIENCE,
    TWISTD,
    IntegrationTestCase,
    RawHost,
    environment,
    freePorts,
)

GOOD = """\
<config>
  <service name="web">
    <listen ip="127.0.0.1:{port}"/>
    <group name="hosts" scheduler="leastc" enable="yes">
      <host name="host1" ip="127.0.0.1:7001" weight="1"/>
      <host name="host2" ip="127.0.0.1:7002" weight="1"/>
    </group>
  </service>
</config>
"""

_LOL = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))

#: What is done to the good file, the line that the message has to name, and words
#: of it.
CHANGES = {
    "port 0": ('"127.0.0.1:7001"', '"127.0.0.1:0"', 5, "port"),
    "port 70000": ('"127.0.0.1:7001"', '"127.0.0.1:70000"', 5, "65535"),
    "no port": ('"127.0.0.1:7001"', '"127.0.0.1"', 5, "port"),
    "duplicate host": ('"host2"', '"host1"', 6, "host1"),
    "unknown scheduler": ('"leastc"', '"leastconn"', 4, "leastc"),
    "weight of a word": ('7002" weight="1"', '7002" weight="heavy"', 6, "heavy"),
    "weight -1": ('7002" weight="1"', '7002" weight="-1"', 6, "-1"),
    "no enabled group": ('enable="yes"', 'enable="no"', 2, "enabled"),
    "two enabled groups": ("</service>", '<group name="b" enable="yes"/></service>', 8, "enabled"),
    "duplicate service": (
        "</config>",
        '<service name="web"><listen ip=":1"/><group name="a" enable="yes"/></service></config>',
        9,
        "web",
    ),
    "unknown element": ("<listen", "<listne", 3, "listen"),
    "unknown attribute": ("weight=", "wieght=", 5, "weight"),
    "truncated": ("  </service>\n</config>\n", "", 8, "ends"),
    "doctype": ("<config>", '<!DOCTYPE config SYSTEM "x.dtd"><config>', 1, "DOCTYPE"),
    "entity bomb": ("<config>", f'<!DOCTYPE c [<!ENTITY l0 "l">{_LOL}]><config>&l9;', 1, "DOCTYPE"),
    "NUL": ('"host2"', '"ho\0st2"', 6, "NUL"),
}

#: Files that have nothing of the good one, the line, and words.
WHOLE = {
    "empty": (b"", 1, "empty"),
    "no service": (b"<config>\n</config>\n", 1, "service"),
    "bad encoding": (b"<config>\n<!-- \xff\xfe -->\n</config>\n", 2, "utf-8"),
    "unknown encoding": (b'<?xml version="1.0" encoding="klingon"?>\n<config/>', 1, "utf-8"),
    "100,000 levels": (b"<config>" + b"<a>" * 100_000, 1, "deep"),
    "no XML": (b"[web]\nlisten = 8080\n", 1, "XML"),
}


class WrongFileTests(IntegrationTestCase):
    """
    C{twistd txlb -c FILE} says in one message what is wrong and where, and ends.
    """

    def runTwistd(
        self, *arguments: str | Path, status: int = 1
    ) -> tuple[subprocess.CompletedProcess[str], float]:
        """
        Run twistd until it ends.

        @return: what it said, and the CPU time that it took.
        """
        before = os.times()
        done = subprocess.run(
            [*TWISTD, *map(str, arguments)],
            check=False,
            timeout=PATIENCE,
            cwd=self.folder,
            env=environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
        )
        after = os.times()
        self.assertEqual(done.returncode, status, done.stderr)
        self.assertNotRegex(done.stderr + done.stdout, "Traceback|Unhandled")
        spent = after.children_user + after.children_system
        return done, spent - before.children_user - before.children_system

    def _startUp(self) -> float:
        """
        The CPU time that it takes to say the version.
        """
        return min(self.runTwistd("txlb", "--version", status=0)[1] for _ in range(2))

    def _isTold(self, content: bytes, line: int, words: str, *options: str) -> float:
        path = self.folder / "wrong.xml"
        path.write_bytes(content)
        done, spent = self.runTwistd(*options, "txlb", "-c", path)
        where = f"{path}:{line}: "
        messages = done.stderr.splitlines()
        self.assertTrue(messages and messages[0].startswith(where), f"{where} {done.stderr}")
        self.assertIn(words, done.stderr)
        self.assertEqual(len(messages), 1, done.stderr)
        return spent

    def test_wrongFiles(self) -> None:
        """
        Each is told, at once.
        """
        good = GOOD.format(port=freePorts(1)[0])
        cases = {name: (content, line, words) for name, (content, line, words) in WHOLE.items()}
        for name, (old, new, line, words) in CHANGES.items():
            self.assertIn(old, good, name)
            cases[name] = (good.replace(old, new, 1).encode("utf-8"), line, words)
        startUp = self._startUp()
        times = {}
        for name, (content, line, words) in cases.items():
            times[name] = self._isTold(content, line, words, "-n") - startUp
        slowest = max(times, key=lambda name: times[name])
        self.show(
            f"{len(cases)} wrong files, each one message with its line; the slowest, "
            f"{slowest}, took {times[slowest]:.2f} s of CPU more than saying the version "
            f"({startUp:.2f} s)"
        )
        self.assertLess(times[slowest], 1)

    def test_noFile(self) -> None:
        """
        A file that is not there.
        """
        path = self.folder / "missing.xml"
        done, _ = self.runTwistd("-n", "txlb", "-c", path)
        self.assertRegex(done.stderr, r"\A.*missing\.xml: .*\n\Z")

    def test_inTheBackground(self) -> None:
        """
        The same where twistd would go to the background.
        """
        text = GOOD.format(port=freePorts(1)[0]).replace("leastc", "leastconn")
        self._isTold(text.encode("utf-8"), 4, "leastc")
        # The log is opened before the configuration is read, and nothing was written to it.
        self.assertFalse((self.folder / "twistd.log").exists())

    def test_listenerTaken(self) -> None:
        """
        A port on which somebody else listens, in the foreground and not.
        """
        with RawHost() as other:
            text = GOOD.format(port=other.port).encode("utf-8")
            self._isTold(text, 3, "in use", "-n")
            self._isTold(text, 3, "in use")

    def test_manholeTaken(self) -> None:
        """
        The same with the manhole's port.
        """
        with RawHost() as other:
            admin = (
                f'<admin>\n<ssh listen="127.0.0.1:{other.port}" enable="yes"/>\n'
                '<user name="a" authorizedKeys="keys" access="full"/>\n</admin>\n</config>'
            )
            self.write("keys", "")
            text = GOOD.format(port=freePorts(1)[0]).replace("</config>", admin)
            self._isTold(text.encode("utf-8"), 10, "in use", "-n")

    def test_severalThings(self) -> None:
        """
        All that is wrong is said.
        """
        text = GOOD.format(port=70000).replace("leastc", "nosuch").replace('"1"', '"one"')
        path = self.write("config.xml", text)
        began = time.monotonic()
        done, _ = self.runTwistd("-n", "txlb", "-c", path)
        lines = [line.split(":")[1] for line in done.stderr.splitlines()]
        self.assertEqual(lines, ["3", "4", "5", "6"])
        self.assertLess(time.monotonic() - began, PATIENCE)
