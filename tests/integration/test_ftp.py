"""
FTP through the balancer: a client takes back a transfer.

ABOR goes with an urgent byte (RFC 959, section 4.1.3; RFC 854), and what follows it in the
same connection must not wait for anything. pyftpdlib is the server, and Python's ftplib the
client.
"""

from __future__ import annotations

import ftplib
import importlib.util
import sys

from twisted.trial.unittest import SkipTest

from tests.integration.support import PATIENCE, IntegrationTestCase, freePorts

CONFIG = """
<config>
  <service name="ftp" relay="{relay}">
    <listen ip="127.0.0.1:{port}"/>
    <group name="hosts" enable="yes"><host name="host" ip="127.0.0.1:{host}"/></group>
  </service>
</config>
"""

#: Transfers that are taken back.
TIMES = 20


class FTPTests(IntegrationTestCase):
    """
    Through the fast relay.
    """

    relay = "fast"

    def test_abort(self) -> None:
        """
        Each transfer that is taken back ends, and the connection goes on.
        """
        if importlib.util.find_spec("pyftpdlib") is None:
            raise SkipTest("not installed: pyftpdlib")
        port, host = freePorts(2)
        with (self.folder / "long").open("wb") as file:
            file.truncate(1 << 30)
        server = self.start(
            sys.executable, "-m", "pyftpdlib", "-i", "127.0.0.1", "-p", str(host), "-d", self.folder
        )
        server.waitForPort(host)
        self.startTxlb(CONFIG.format(port=port, host=host, relay=self.relay))
        answers = []
        with ftplib.FTP(timeout=PATIENCE) as ftp:
            ftp.connect("127.0.0.1", port)
            ftp.login()
            for _ in range(TIMES):
                with ftp.transfercmd("RETR long") as data:
                    # It is under way.
                    self.assertTrue(data.recv(1 << 16))
                    answers.append(ftp.abort()[:3])
                    while data.recv(1 << 20):
                        pass
                # 426 for the transfer, which ftplib takes for the answer; 226 for ABOR.
                answers.append(ftp.getmultiline()[:3])
                answers.append(ftp.voidcmd("NOOP")[:3])
        self.show(f"{TIMES} transfers taken back: {' '.join(answers[:3])}")
        self.assertEqual(answers, ["426", "226", "200"] * TIMES)


class PortableTests(FTPTests):
    """
    Through the portable relay.
    """

    relay = "portable"
