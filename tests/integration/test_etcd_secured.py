"""
A real etcd with users, roles, TLS and certificates of clients.
"""

from __future__ import annotations

import json
import signal
import subprocess
from typing import Any

from tests.certificates import Authority
from tests.integration.etcds import ETCD, ETCDCTL, Etcd
from tests.integration.programs import PATIENCE, Program, get, waitUntil
from tests.integration.support import IntegrationTestCase, askTxlb, freePorts, server, sites
from tests.integration.support._case import TWISTD

CONFIG = """\
<config>
  <service name="web">
    <listen ip="127.0.0.1:{listen}"/>
    <group name="production" scheduler="resource" enable="yes">
      <discover from="etcd" url="{url}" prefix="txlb/web/production" {more}/>
    </group>
  </service>
  <control socket="{control}"/>
</config>
"""

CLUSTERED = """\
<config>
  <service name="web">
    <listen ip="127.0.0.1:{listen}"/>
    <group name="production" enable="yes">
      <host name="one" ip="127.0.0.1:{host}"/>
    </group>
  </service>
  <control socket="{control}"/>
  <cluster name="prod" member="{member}" election="etcd:{url}" prefix="shared" ttl="3s" {more}/>
</config>
"""


class SecuredTests(IntegrationTestCase):
    """
    etcd lets a balancer read, and an application write. Tokens end after a second without use.
    """

    needed = (ETCD, ETCDCTL, "nginx")

    def setUp(self) -> None:
        super().setUp()
        self.listen, self.host = freePorts(2)
        sites(self, server(self.host, "one"))
        self.control = str(self.shortFolder() / "control")
        authority = Authority()
        certificate, key = authority.certify(["127.0.0.1"])
        own, ownKey = authority.certify(["client"], nameless=True)
        named, namedKey = authority.certify(["client"])
        for name, data in (
            ("server.pem", certificate),
            ("server.key", key),
            ("ca.pem", authority.pem),
            ("own.pem", own + ownKey),
            ("named.pem", named + namedKey),
            ("other.pem", Authority("Other").pem),
            ("balancer", b"reads\n"),
            ("app", b"writes\n"),
        ):
            (self.folder / name).write_bytes(data)
        self.etcd = Etcd(
            self,
            1,
            f"--cert-file={self.folder}/server.pem",
            f"--key-file={self.folder}/server.key",
            f"--trusted-ca-file={self.folder}/ca.pem",
            "--client-cert-auth",
            "--auth-token-ttl=1",
            "--bcrypt-cost=4",
            scheme="https",
        )
        self.user = ""
        for words in (
            "user add root:root",
            "user grant-role root root",
            "role add reading",
            "role grant-permission reading --prefix=true read txlb/web/production/",
            "role add writing",
            "role grant-permission writing --prefix=true readwrite txlb/web/production/",
            "user add balancer:reads",
            "user grant-role balancer reading",
            "user add app:writes",
            "user grant-role app writing",
            "auth enable",
        ):
            self.ctl(*words.split())
        self.user = "--user=root:root"

    def ctl(self, *words: str) -> str:
        """
        Run etcdctl.

        @return: what it prints.
        """
        more = (self.user,) if self.user else ()
        done = subprocess.run(
            [
                ETCDCTL,
                f"--endpoints={self.etcd.url}",
                f"--cacert={self.folder}/ca.pem",
                f"--cert={self.folder}/own.pem",
                f"--key={self.folder}/own.pem",
                *more,
                *words,
            ],
            env={"ETCDCTL_API": "3", "PATH": "/usr/bin:/bin"},
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def ask(self, command: str) -> Any:
        return askTxlb(self.control, command)

    def source(self) -> Any:
        (row,) = self.ask("discovery")
        return row

    def hosts(self) -> dict[str, Any]:
        (group,) = self.ask("status")["services"][0]["groups"]
        return {each["name"]: each for each in group["hosts"]}

    def balancer(self, more: str) -> None:
        self.startTxlb(
            CONFIG.format(listen=self.listen, url=self.etcd.url, more=more, control=self.control)
        )

    def agent(self, *more: str) -> Program:
        """
        Start an agent that announces the host.

        @param more: more options.
        """
        return self.start(
            *TWISTD,
            "-n",
            "txlb-agent",
            "-l",
            "127.0.0.1:0",
            f"--announce={self.etcd.url}",
            "--service=web",
            "--group=production",
            f"--address=127.0.0.1:{self.host}",
            "--name=one",
            "--ca=ca.pem",
            "--client-certificate=own.pem",
            *more,
        )

    def test_announced(self) -> None:
        """
        An agent announces a host by a user that may write, and a balancer finds it by one that may
        read, also after tokens have ended, and etcd has forgotten all of them.
        """
        self.balancer(
            'ca="ca.pem" clientCertificate="own.pem" user="balancer" passwordFile="balancer"'
        )
        agent = self.agent("--ttl=6", "--user=app", "--password-file=app")
        waitUntil(lambda: list(self.hosts()) == ["one"])
        self.assertEqual(get(self.listen), "one\n")
        # The load of the machine, which may be anything.
        waitUntil(lambda: self.hosts()["one"]["load"] is not None)
        key = "txlb/web/production/one"
        self.assertIn("load", json.loads(self.ctl("get", "--print-value-only", key)))
        age = self.source()["age"]
        self.etcd.kill()
        waitUntil(lambda: self.source()["trouble"])
        self.etcd.restart()
        waitUntil(lambda: not self.source()["trouble"])
        self.assertEqual(get(self.listen), "one\n")
        self.ctl("put", "txlb/web/production/two", f'{{"address": "127.0.0.1:{self.host}"}}')
        waitUntil(lambda: set(self.hosts()) == {"one", "two"})
        agent.process.terminate()
        self.assertIn(agent.process.wait(PATIENCE), {0, -signal.SIGTERM})
        waitUntil(lambda: list(self.hosts()) == ["two"])
        self.assertIsNotNone(age)

    def test_refused(self) -> None:
        """
        A wrong certificate, a password and a role that does not allow it are told, and mended by
        other files.
        """
        (self.folder / "password").write_text("wrong\n")
        for more, told in (
            ('ca="other.pem"', "certificate verify failed"),
            # etcd's gateway takes no certificate with a common name if there are users.
            ('ca="ca.pem" clientCertificate="named.pem"', "CommonName"),
            (
                'ca="ca.pem" clientCertificate="own.pem" user="app" passwordFile="password"',
                "authentication failed",
            ),
        ):
            (self.listen,) = freePorts(1)
            self.control = str(self.shortFolder() / "control")
            self.balancer(more)
            waitUntil(lambda told=told: told in self.source()["trouble"])  # type: ignore[misc]  # bound at once
        self.ctl("put", "txlb/web/production/two", f'{{"address": "127.0.0.1:{self.host}"}}')
        (self.folder / "password").write_text("writes\n")
        waitUntil(lambda: list(self.hosts()) == ["two"])
        self.ctl("role", "revoke-permission", "--prefix", "writing", "txlb/web/production/")
        waitUntil(lambda: "permission denied" in self.source()["trouble"])
        self.assertEqual(list(self.hosts()), ["two"])

    def test_renewed(self) -> None:
        """
        An authority and all certificates are renewed while etcd is away: the member of a cluster
        and the agent take the new files, and a file that can't be used changes nothing.
        """
        self.ctl("auth", "disable")
        self.user = ""
        (port,) = freePorts(1)
        balancer = self.startTxlb(
            CLUSTERED.format(
                listen=port,
                host=self.host,
                control=self.control,
                member="a",
                url=self.etcd.url,
                more='ca="ca.pem" clientCertificate="own.pem"',
            )
        )
        agent = self.agent("--ttl=3")
        waitUntil(lambda: self.ask("cluster")[0]["leads"])
        key = "txlb/web/production/one"
        waitUntil(lambda: self.ctl("get", "--print-value-only", key))
        (self.folder / "own.pem").write_text("half a certifi")
        for each in (balancer, agent):
            each.waitFor("clientCertificate has no certificate in PEM form")
        self.assertTrue(self.ask("cluster")[0]["connected"])
        self.etcd.kill()
        authority = Authority("Renewed")
        certificate, serverKey = authority.certify(["127.0.0.1"])
        own, ownKey = authority.certify(["client"], nameless=True)
        for name, data in (
            ("server.pem", certificate),
            ("server.key", serverKey),
            ("ca.pem", authority.pem),
            ("own.pem", own + ownKey),
        ):
            (self.folder / name).write_bytes(data)
        self.etcd.restart()
        for each, whose in ((balancer, "cluster 'prod'"), (agent, "the announcement")):
            each.waitFor(f"renewed files of {whose} are used from now on")
        waitUntil(lambda: self.ask("cluster")[0]["leads"])
        waitUntil(lambda: self.ctl("get", "--print-value-only", key))

    def test_cluster(self) -> None:
        """
        Balancers of a cluster show etcd a certificate, and share changes by a user whose role has
        their keys; one without a certificate serves, and says what is wrong.
        """
        self.user = "--user=root:root"
        self.ctl("role", "add", "sharing")
        self.ctl("role", "grant-permission", "sharing", "--prefix=true", "readwrite", "shared/")
        self.ctl("user", "add", "member:shares")
        self.ctl("user", "grant-role", "member", "sharing")
        (self.folder / "member").write_text("shares\n")
        members = {}
        user = 'user="member" passwordFile="member"'
        for name, more in (
            ("a", f'ca="ca.pem" clientCertificate="own.pem" {user}'),
            ("b", f'ca="ca.pem" clientCertificate="own.pem" {user}'),
            ("c", f'ca="ca.pem" {user}'),
        ):
            (port,) = freePorts(1)
            members[name] = port, str(self.shortFolder() / "control")
            self.startTxlb(
                CLUSTERED.format(
                    listen=port,
                    host=self.host,
                    control=members[name][1],
                    member=name,
                    url=self.etcd.url,
                    more=more,
                )
            )

        def ask(name: str, *words: str) -> list[dict[str, Any]]:
            rows: list[dict[str, Any]] = askTxlb(members[name][1], *words)
            return rows

        def weight(name: str) -> int:
            self.control = members[name][1]
            return int(self.hosts()["one"]["weight"])

        waitUntil(lambda: len(ask("a", "cluster")) == 3 and ask("a", "cluster")[0]["leader"])
        waitUntil(lambda: ask("b", "cluster")[0]["leader"])
        ask("a", "weight", "web/production/one", "7")
        waitUntil(lambda: weight("b") == 7)
        self.assertEqual(ask("b", "cluster", "shared")[0]["value"], 7)
        forgotten, event = ask("b", "cluster", "forget", "web/production/one")
        self.assertEqual(forgotten["values"], 1)
        self.assertIn("weight 7 -> 1", event["text"])
        waitUntil(lambda: weight("a") == 1)
        state = ask("c", "cluster")[0]
        self.assertFalse(state["connected"])
        self.assertIn("certificate", state["trouble"])
        self.assertEqual(get(members["c"][0]), "one\n")
