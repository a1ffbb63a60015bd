"""
The web console of a balancer in a process of its own: curl, TLS, attacks on its time, and
requests as the OpenAPI document says.
"""

from __future__ import annotations

import json
import os
import re
import socket
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from typing import Any

from tests.admin.fakes import quickHash
from tests.certificates import Authority, put
from tests.integration.support import (
    TWISTD,
    IntegrationTestCase,
    Program,
    bodyOf,
    environment,
    freePorts,
    residentBytes,
    server,
    sites,
    waitUntil,
)
from txlb.admin._newtoken import hashToken

TOKEN = "txlb_tests"

PASSWORD = quickHash("secret")

CONFIG = """<config>
  <service name="web">
    <listen ip="127.0.0.1:{web}"/>
    <group name="prod" scheduler="roundr" enable="yes">
      <host name="h1" ip="127.0.0.1:{h1}"/>
      <host name="h2" ip="127.0.0.1:{h2}"/>
    </group>
  </service>
  <admin>
    {admin}
    <user name="ann" access="full" password="{password}"/>
    <token name="tests" access="full" hash="{token}"/>
  </admin>
</config>
"""

#: What must hold of every answer.
CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,"
    "response_schema_conformance"
)

#: Clients that send their requests slowly.
SLOW = 1000

#: Says whether a process without a console has loaded Twisted's web server.
LOADED = """
import sys
import txlb.tap, txlb.admin
from txlb.admin import controlService
print("twisted.web.server" in sys.modules, "txlb.admin.web" in sys.modules)
"""


class WebCase(IntegrationTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.web, self.h1, self.h2, self.port = freePorts(4)
        self.context: ssl.SSLContext | None = None

    def config(self, admin: str = "") -> str:
        admin = admin or f'<web enable="yes" listen="127.0.0.1:{self.port}"/>'
        return CONFIG.format(
            web=self.web,
            h1=self.h1,
            h2=self.h2,
            admin=admin,
            password=PASSWORD,
            token=hashToken(TOKEN),
        )

    def balancer(self, admin: str = "") -> Program:
        return self.startTxlb(self.config(admin))

    def ask(
        self, method: str, path: str, body: bytes | None = None, **headers: str
    ) -> tuple[int, Any, Any]:
        """
        @return: the status, the value of the body, the headers.
        """
        scheme = "http" if self.context is None else "https"
        request = urllib.request.Request(
            f"{scheme}://127.0.0.1:{self.port}{path}",
            body,
            {
                "Authorization": f"Bearer {TOKEN}",
                "Content-Type": "application/json",
                **{name.replace("_", "-"): value for name, value in headers.items()},
            },
            method=method,
        )
        try:
            with urllib.request.urlopen(request, timeout=60, context=self.context) as answer:
                data, status, found = answer.read(), answer.status, answer.headers
        except urllib.error.HTTPError as error:
            data, status, found = error.read(), error.code, error.headers
        isJSON = "json" in found.get("Content-Type", "")
        return status, json.loads(data) if isJSON else data, found


class ConfigurationTests(WebCase):
    """
    The whole configuration as a resource.
    """

    def test_replace(self) -> None:
        self.balancer()
        status, text, headers = self.ask("GET", "/api/v1/configuration")
        self.assertEqual((status, text), (200, self.config().encode()))
        wanted = text.replace(b'name="h2"', b'name="h3" weight="4"')
        media = {"Content_Type": "application/xml"}

        status, plan, _ = self.ask("POST", "/api/v1/configuration/plan", wanted, **media)
        self.assertEqual(status, 200, plan)
        lines = [row["text"] for row in plan["rows"]]
        self.assertIn("host web/prod/h2 removed", lines)
        self.assertEqual(self.ask("GET", "/api/v1/services/web/groups/prod/hosts/h3")[0], 404)

        # Without the version, or with another one, nothing is done.
        path = "/api/v1/configuration"
        self.assertEqual(self.ask("PUT", path, wanted, **media)[0], 428)
        status, problem, _ = self.ask("PUT", path, wanted, If_Match='"x"', **media)
        self.assertEqual(status, 412, problem)

        match = {"If_Match": headers["ETag"], **media}
        status, problem, _ = self.ask("PUT", path, b"<config/>", **match)
        self.assertEqual(status, 422)
        self.assertIn("needs at least one", problem["detail"])
        taken = wanted.replace(f"127.0.0.1:{self.web}".encode(), f"127.0.0.1:{self.port}".encode())
        self.assertEqual(self.ask("PUT", path, taken, **match)[0], 422)

        status, done, after = self.ask("PUT", path, wanted, **match)
        self.assertEqual((status, done), (200, plan))
        self.assertEqual((self.folder / "config.xml").read_bytes(), wanted)
        self.assertEqual(self.ask("GET", "/api/v1/services/web/groups/prod/hosts/h3")[0], 200)
        self.assertEqual(self.ask("GET", path)[2]["ETag"], after["ETag"])

        # What another program has written is not lost.
        edited = wanted.replace(b'weight="4"', b'weight="5"')
        (self.folder / "config.xml").write_bytes(edited)
        match = {"If_Match": after["ETag"], **media}
        status, problem, _ = self.ask("PUT", path, text, **match)
        self.assertEqual(status, 422)
        self.assertIn("another program has changed it", problem["detail"])
        self.assertEqual((self.folder / "config.xml").read_bytes(), edited)
        self.assertEqual(self.ask("GET", "/api/v1/services/web/groups/prod/hosts/h3")[0], 200)
        self.assertEqual(self.ask("GET", "/api/v1/services/web/groups/prod/hosts/h2")[0], 404)


class TLSTests(WebCase):
    def test_renewed(self) -> None:
        """
        The certificate is read again while the console serves.
        """
        authority = Authority()
        folder = str(self.folder / "tls")
        put(folder, "console.pem", *authority.certify(["localhost", "127.0.0.1"]))
        put(str(self.folder), "ca.pem", authority.pem)
        admin = (
            f'<web enable="yes" secure="yes" listen="127.0.0.1:{self.port}">'
            '<tls certificates="tls"/></web>'
        )
        self.balancer(admin)
        self.context = ssl.create_default_context(cafile=str(self.folder / "ca.pem"))
        self.assertEqual(self.ask("GET", "/api/v1/status")[0], 200)
        answer = self.ask("POST", "/api/v1/login", b'{"user":"ann","password":"secret"}')
        self.assertRegex(
            answer[2]["Set-Cookie"],
            r"^__Host-txlb=[\w-]{22}; Path=/; HttpOnly; Secure; SameSite=strict$|"
            r"^__Host-txlb=[\w-]{22}; Path=/; Secure; HttpOnly; SameSite=strict$",
        )
        before = self.shown()
        self.assertIsNotNone(before)
        put(folder, "console.pem", *authority.certify(["localhost", "127.0.0.1"]))
        waitUntil(lambda: self.shown() not in {before, None})
        waitUntil(lambda: self.shown() is not None)
        rows = self.ask("GET", "/api/v1/certs")[1]["rows"]
        self.assertEqual([row["names"] for row in rows], [["localhost", "127.0.0.1"]])

    def shown(self) -> bytes | None:
        """
        Return the certificate that a new connection gets; L{None} if there were too many.
        """
        assert self.context is not None
        try:
            with (
                socket.create_connection(("127.0.0.1", self.port), timeout=60) as sock,
                self.context.wrap_socket(sock, server_hostname="localhost") as secure,
            ):
                return secure.getpeercert(binary_form=True)
        except OSError:
            return None

    def test_refused(self) -> None:
        """
        Without TLS the balancer does not start where others could reach the console.
        """
        for admin, text in (
            (f'<web enable="yes" listen="*:{self.port}"/>', "without TLS"),
            (f'<web enable="yes" secure="yes" listen="*:{self.port}"/>', "no certificate"),
        ):
            path = self.write("refused.xml", self.config(admin))
            done = subprocess.run(
                [*TWISTD, "-n", "txlb", "-c", str(path)],
                cwd=self.folder,
                env=environment(),
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=120,
                text=True,
                check=False,
            )
            self.assertEqual(done.returncode, 1)
            self.assertRegex(done.stdout, rf"refused\.xml:10: .*{text}")


class CostTests(WebCase):
    def test_notLoaded(self) -> None:
        """
        A process without a console does not load the web server.
        """
        done = subprocess.run(
            [sys.executable, "-c", LOADED],
            env=environment(),
            stdout=subprocess.PIPE,
            timeout=120,
            text=True,
            check=True,
        )
        self.assertEqual(done.stdout, "False False\n")

    def test_slowClients(self) -> None:
        """
        Clients that send slowly are dropped, cost no memory, and hold nothing up.
        """
        sites(self, server(self.h1, "one"), server(self.h2, "two"))
        program = self.balancer()
        before = residentBytes(program.process.pid)
        clients = []
        for _ in range(SLOW):
            sock = socket.create_connection(("127.0.0.1", self.port), timeout=60)
            self.addCleanup(sock.close)
            sock.sendall(b"POST /api/v1/login HTTP/1.1\r\nHost: localhost\r\nX")
            clients.append(sock)
        for _ in range(100):
            self.assertIn(bodyOf(self.web), {b"one\n", b"two\n"})
        self.assertEqual(self.ask("GET", "/api/v1/status")[0], 200)
        grown = residentBytes(program.process.pid) - before
        self.show(f"{SLOW} slow clients: {grown / 1e6:.1f} MB more")
        self.assertLess(grown, 50_000_000)

        def isOver() -> bool:
            for sock in clients:
                sock.setblocking(False)
                try:
                    if sock.recv(1024):
                        continue
                except BlockingIOError:
                    return False
                except OSError:
                    pass
            return True

        waitUntil(isOver)


class DocumentTests(WebCase):
    def test_requests(self) -> None:
        """
        Every answer to requests of all kinds is one of the document: none is an error of the
        server. TXLB_SCHEMATHESIS=N sends N requests of each kind.
        """
        self.need("schemathesis")
        program = self.balancer()
        examples = os.environ.get("TXLB_SCHEMATHESIS", "")
        phases = "coverage,fuzzing" if examples else "fuzzing"
        base = f"http://127.0.0.1:{self.port}"
        done = subprocess.run(
            [
                "schemathesis", "run", f"{base}/api/openapi.json", "-u", base,
                "-H", f"Authorization: Bearer {TOKEN}",
                "-c", CHECKS,
                "-n", examples or "4", "--phases", phases, "--exclude-path", "/api/v1/events",
                # It ends this process.
                "--exclude-path", "/api/v1/upgrade",
                "--request-timeout", "60", "--no-shrink", "--continue-on-failure",
                "--seed", "1", "--warnings", "off",
            ],
            cwd=self.folder,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=1200,
            text=True,
            check=False,
        )  # fmt: skip
        self.assertEqual(done.returncode, 0, done.stdout[-5000:])
        [count] = re.findall(r"(\d+) generated, \d+ passed", done.stdout)
        self.show(f"{count} requests by the OpenAPI document")
        self.assertGreater(int(count), 100)
        self.assertNotIn("Traceback", program.output)
        self.assertEqual(self.ask("GET", "/health")[0], 200)
