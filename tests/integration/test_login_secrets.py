"""
Passwords go through every door and every source, and are nowhere afterwards.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import paramiko

from tests.integration.support import (
    TWISTD,
    IntegrationTestCase,
    environment,
    freePorts,
    silentPort,
)
from txlb.admin import hashPassword

#: It stands nowhere else.
CANARY = "kanarie-7f3a91c2"

FILE = """\
<config>
  <service name="web">
    <listen ip="127.0.0.1:{web}"/>
    <group name="g" scheduler="leastc" enable="yes"><host name="h" ip="127.0.0.1:1"/></group>
  </service>
  <admin>
    <ssh listen="127.0.0.1:{ssh}" enable="yes"/>
    <web listen="127.0.0.1:{console}" enable="yes" metrics="login"/>
    <user name="anna" password="{hash}" access="full"/>
    <ldap url="ldaps://127.0.0.1:{dead}" searchBase="dc=x" bindDN="cn=x"
          bindPasswordFile="secret" timeout="0.5" onUnavailable="next">
      <map group="x" access="full"/>
    </ldap>
    <radius servers="127.0.0.1:{dead}" secretFile="secret" timeout="0.2" retries="1"
            onUnavailable="next"><map value="x" access="full"/></radius>
    <checker spec="file:passwords" access="readonly"/>
  </admin>
  <control socket="run/control"/>
  <logging file="txlb.log"/>
</config>
"""


class SecretsTests(IntegrationTestCase):
    def commandLines(self) -> Iterator[bytes]:
        for name in filter(str.isdigit, os.listdir("/proc")):
            try:
                yield Path(f"/proc/{name}/cmdline").read_bytes()
                yield Path(f"/proc/{name}/environ").read_bytes()
            except OSError:
                continue

    def ssh(self, port: int, user: str, password: str) -> bytes | None:
        """
        @return: what a line has printed; L{None} if the login is refused.
        """
        with paramiko.Transport(("127.0.0.1", port)) as transport:
            transport.start_client(timeout=60)
            try:
                transport.auth_password(user, password, fallback=False)
                channel = transport.open_session(timeout=60)
            except paramiko.SSHException:
                return None
            channel.exec_command("status()")
            shown = channel.makefile("rb").read()
            assert isinstance(shown, bytes)
            return shown

    def console(self, port: int, user: str, password: str) -> tuple[int, str]:
        body = json.dumps({"user": user, "password": password}).encode()
        url = f"http://127.0.0.1:{port}/api/v1/login"
        asked = urllib.request.Request(url, body, {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(asked, timeout=60) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def fetch(
        self, port: int, path: str, password: str = "", **headers: str
    ) -> tuple[int, str, bytes]:
        """
        Fetch a page with a password, as programs that fetch metrics send it, or without.

        @return: its status, its type, and its text.
        """
        asked = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers=headers)
        if password:
            word = base64.b64encode(f"anna:{password}".encode()).decode()
            asked.add_header("Authorization", f"Basic {word}")
        try:
            with urllib.request.urlopen(asked, timeout=60) as answer:
                kind = answer.headers["Content-Type"]
                return answer.status, kind, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.headers["Content-Type"], error.read()

    def cookie(self, port: int) -> str:
        """
        Log in at the console.

        @return: the cookie of the session.
        """
        body = json.dumps({"user": "anna", "password": CANARY}).encode()
        asked = urllib.request.Request(
            f"http://127.0.0.1:{port}/api/v1/login", body, {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(asked, timeout=60) as answer:
            return str(answer.headers["Set-Cookie"]).partition(";")[0]

    def stream(self, port: int, cookie: str, last: str, words: bytes) -> str:
        """
        Follow the stream of events from an event until some words come.

        @param last: the identifier of the event.
        """
        headers = {"Cookie": cookie, "Accept": "text/event-stream", "Last-Event-ID": last}
        asked = urllib.request.Request(f"http://127.0.0.1:{port}/api/v1/events", headers=headers)
        found = b""
        with urllib.request.urlopen(asked, timeout=60) as answer:
            for _ in range(200):
                found += answer.readline()
                if words in found:
                    break
        self.assertIn(words, found)
        return found.decode() + "\n"

    def past(self) -> Iterator[str]:
        """
        Ask the control socket about the past.
        """
        events = self.txlb("events", "--json")
        self.assertIn("weight", events)
        yield events
        yield self.txlb("history", "web")

    def pages(self, port: int) -> Iterator[str]:
        """
        Fetch what the console tells of the past: metrics in both texts, statistics, events as
        rows and as a stream, the last hour.
        """
        for accept, kind in (
            ("text/plain", "text/plain"),
            ("application/openmetrics-text; version=1.0.0", "application/openmetrics-text"),
        ):
            status, found, data = self.fetch(port, "/metrics", CANARY, Accept=accept)
            self.assertEqual((status, found.partition(";")[0]), (200, kind))
            self.assertIn(b"txlb_host_connections_total", data)
            yield data.decode()
        status, _, data = self.fetch(port, "/metrics", CANARY + "x")
        # The directory, which is dead, might have known better.
        self.assertEqual(status, 503)
        yield data.decode()
        cookie = self.cookie(port)
        for path, accept, words in (
            ("/api/v1/events", "application/json", b"weight"),
            ("/api/v1/services/web/history", "application/json", b"["),
            ("/api/v1/sessions", "application/json", b"anna"),
            ("/api/v1/stats;csv", "text/csv", b"web"),
        ):
            headers = {"Cookie": cookie, "Accept": accept}
            status, _, data = self.fetch(port, path, **headers)
            self.assertEqual(status, 200, (path, data))
            self.assertIn(words, data, path)
            yield data.decode()
        begun = self.stream(port, cookie, "", b'"last"')
        hello = next(each for each in begun.splitlines() if each.startswith("data: "))
        process = json.loads(hello.removeprefix("data: "))["last"].partition("-")[0]
        yield self.stream(port, cookie, f"{process}-0", b"host-weight")

    def txlb(self, *words: str, given: str = "") -> str:
        command = [sys.executable, "-m", "txlb", *words, "-s", "run/control"]
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=environment(),
            input=given.encode(),
            capture_output=True,
            timeout=120,
            check=False,
        )
        return (done.stdout + done.stderr).decode()

    def test_canary(self) -> None:
        self.folder = self.shortFolder()
        web, ssh, console = freePorts(3)
        (self.folder / "secret").write_text(f"{CANARY}-of-the-service\n")
        (self.folder / "passwords").write_text("carla:other\n")
        for name in ("secret", "passwords"):
            (self.folder / name).chmod(0o600)
        with silentPort() as dead:
            text = FILE.format(
                web=web, ssh=ssh, console=console, dead=dead, hash=hashPassword(CANARY)
            )
            (self.folder / "config.xml").write_text(text)
            balancer = self.start(*TWISTD, "-n", "txlb", "-c", "config.xml", "-s", "state")
            balancer.waitForPort(console)
            balancer.waitForPort(ssh)
            shown: list[str] = []
            seen: list[bool] = []
            stop = threading.Event()

            def watch() -> None:
                while not stop.wait(0.02):
                    seen.extend(CANARY.encode() in each for each in self.commandLines())

            watcher = threading.Thread(target=watch, daemon=True)
            watcher.start()
            self.assertIn(b"service web", self.ssh(ssh, "anna", CANARY) or b"")
            self.assertIsNone(self.ssh(ssh, "anna", CANARY + "x"))
            status, body = self.console(console, "anna", CANARY)
            self.assertEqual(status, 200)
            shown.append(body)
            status, body = self.console(console, "carla", CANARY)
            self.assertEqual(status, 503)
            shown.append(body)
            told = self.txlb("login-test", "anna", given=CANARY + "\n")
            self.assertIn("user: lets anna in with full access", told)
            shown += [told, self.txlb("login-test", "carla", given=CANARY + "\n")]
            self.assertIn("ldap: gives no answer", shown[-1])
            self.assertIn("checker: refuses", shown[-1])
            shown += [self.txlb(*words) for words in (["events"], ["status"], ["sessions"])]
            shown.append(self.txlb("weight", "web/g/h", "5"))
            shown.append(self.txlb("save"))
            shown += [*self.past(), *self.pages(console)]
            stop.set()
            watcher.join(60)
        balancer.stop()
        self.assertTrue(seen)
        self.assertNotIn(True, seen)
        for each in shown:
            self.assertNotIn(CANARY, each)
        looked = 0
        for path in self.folder.rglob("*"):
            if path.is_file() and path.name != "secret":
                looked += 1
                self.assertNotIn(CANARY.encode(), path.read_bytes(), path)
        self.assertGreater(looked, 3)
        log = (self.folder / "txlb.log").read_text()
        self.assertIn("login by password failed", log)
        self.assertNotIn("Traceback", log)
