"""
Certificates that are renewed while clients shake hands.
"""

from __future__ import annotations

import ssl
import subprocess
import sys
import threading
from collections.abc import Callable
from functools import partial

from cryptography import x509

from tests.certificates import Authority, keyPEM, newKey, put
from tests.integration.support import (
    ROOT,
    IntegrationTestCase,
    RawHost,
    connect,
    environment,
    freePorts,
    waitUntil,
)

CONFIG = """\
<config>
  <service name="web" relay="{relay}">
    <listen ip="127.0.0.1:{port}"><tls certificates="certs"/></listen>
    <group name="g" enable="yes"><host name="h" ip="127.0.0.1:{host}"/></group>
  </service>
  <control socket="{control}"/>
</config>
"""

#: Clients that shake hands one time after the other.
CLIENTS = 3


class ReloadTests(IntegrationTestCase):
    """
    The fast relay.
    """

    relay = "fast"

    def setUp(self) -> None:
        super().setUp()
        self.authority = Authority()
        put(str(self.folder), "ca.txt", self.authority.pem)
        (self.port,) = freePorts(1)
        self.control = self.shortFolder() / "s"
        self.certs = str(self.folder / "certs")
        # The serial number of the certificate that is in use for certain; each handshake that
        # has failed, or has had an older one.
        self.order: list[int] = []
        self.wrong: list[str] = []
        self.count = 0
        self.over = False

    def renew(self) -> None:
        """
        Write a new certificate, and have it read.
        """
        pem, key = self.authority.certify(["a.example"])
        put(self.certs, "a.pem", pem, key)
        status, answer = self.reload()
        self.assertEqual(status, 0, answer)
        self.order.append(serialOf(x509.load_pem_x509_certificate(pem)))

    def reload(self) -> tuple[int, str]:
        command = [sys.executable, "-m", "txlb", "certs", "reload", "--socket", str(self.control)]
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, cwd=ROOT, env=environment()
        )
        return done.returncode, done.stdout + done.stderr

    def shakeHands(self) -> None:
        """
        Shake hands again and again, until the test is over.
        """
        while not self.over:
            context = ssl.create_default_context(cafile=str(self.folder / "ca.txt"))
            least = len(self.order)
            try:
                with (
                    connect(self.port) as sock,
                    context.wrap_socket(sock, server_hostname="a.example") as client,
                ):
                    shown = client.getpeercert(True)
            except OSError as error:
                self.wrong.append(str(error))
                continue
            self.count += 1
            serial = serialOf(x509.load_der_x509_certificate(shown or b""))
            # One that is read meanwhile may be there before its reload says so.
            if least and serial in self.order[: least - 1]:
                self.wrong.append(f"{serial} is older than {self.order[least - 1]}")

    def broken(self) -> list[Callable[[], tuple[bytes, ...]]]:
        """
        @return: functions that make what may be in a file, and is no certificate with its key.
        """
        certify = self.authority.certify
        return [
            lambda: (b"\0\xffgarbage" * 99,),
            lambda: (certify(["a.example"])[0], keyPEM(newKey())),
            lambda: certify(["a.example"], days=-1, begins=-9),
            lambda: (b"".join(certify(["a.example"]))[:400],),
            lambda: (certify(["a.example"])[0],),
            lambda: (b"",),
        ]

    def test_reloads(self) -> None:
        """
        Certificates are renewed again and again, broken ones among them. No handshake fails, and
        each that begins after a reload has the new certificate.
        """
        put(self.certs, "a.pem", *self.authority.certify(["a.example"]))
        with RawHost() as host:
            program = self.startTxlb(
                CONFIG.format(
                    relay=self.relay, port=self.port, host=host.port, control=self.control
                )
            )
            self.renew()
            threads = [threading.Thread(target=self.shakeHands) for _ in range(CLIENTS)]
            for thread in threads:
                thread.start()
            try:
                self.renewAll()
            finally:
                self.over = True
                for thread in threads:
                    thread.join()
        self.assertEqual(self.wrong, [])
        self.assertEqual(len(self.order), 1 + len(self.broken()))
        program.waitFor("expired")
        self.show(f"{self.count} handshakes")

    def renewAll(self) -> None:
        for make in self.broken():
            put(self.certs, "a.pem", *make())
            status, answer = self.reload()
            self.assertEqual(status, 1, answer)
            self.assertIn("stays", answer)
            self.renew()
            # Clients have it, and go on.
            waitUntil(partial(self.went, self.count + 2 * CLIENTS))

    def went(self, count: int) -> bool:
        """
        @return: whether there were so many handshakes, or one was wrong.
        """
        return self.count >= count or bool(self.wrong)


class PortableReloadTests(ReloadTests):
    """
    The portable relay.
    """

    relay = "portable"


def serialOf(certificate: x509.Certificate) -> int:
    return certificate.serial_number
