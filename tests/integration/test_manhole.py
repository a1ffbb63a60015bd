"""
The manhole, by OpenSSH's own client.
"""

from __future__ import annotations

import contextlib
import os
import pty
import re
import select
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Self

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.admin.fakes import quickHash
from tests.integration.programs import PATIENCE, TROUBLE, Program, environment
from tests.integration.support import freePorts
from txlb.admin._startups import SILENCE

try:
    import paramiko
except ImportError:
    paramiko = None

#: A security key that is software, of OpenSSH's own tests (Debian: openssh-tests).
SECURITY_KEY = Path("/usr/lib/openssh/regress/misc/sk-dummy/sk-dummy.so")

SECRET = "open-sesame"
TALKATIVE = ("-o", "LogLevel=INFO")
ADDRESS = r"127\.0\.0\.1:\d+"

TAC = """\
from twisted.application.service import Application

from txlb.admin import manholeService
from txlb.application.service import LoadBalancedService
from txlb.config import loadConfiguration
from txlb.manager import proxyManagerFactory

config = loadConfiguration("config.xml")
lbs = LoadBalancedService(proxyManagerFactory(config.services))
manhole = manholeService(
    lbs, config.admin.ssh.listen, config.admin.users, stateDirectory="state", config=config
)
application = Application("balancer")
lbs.setServiceParent(application)
manhole.setServiceParent(application)
"""

CONFIG = """\
<config>
  <service name="web">
    <listen ip="127.0.0.1:{web}"/>
    <group name="blue" scheduler="leastc" enable="yes">
      <host name="h1" ip="127.0.0.1:{nobody}"/>
    </group>
    <group name="green" scheduler="roundr"/>
  </service>
  <admin>
    <ssh listen="127.0.0.1:{ssh}" enable="yes"/>
    <user name="anna" password="{secret}" authorizedKeys="keys" access="full"/>
    <user name="rita" password="{secret}" authorizedKeys="keys" access="readonly"/>
    <user name="olga" password="..xpoEyRReGzk" access="full"/>
  </admin>
</config>
"""


class ManholeTests(SynchronousTestCase):
    if shutil.which("ssh") is None or shutil.which("ssh-keygen") is None:
        skip = "OpenSSH's client is not installed"

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).resolve()
        self.folder.mkdir(parents=True)
        self.port, web, nobody = freePorts(3)
        self.web = web
        secret = quickHash(SECRET)
        config = CONFIG.format(web=web, nobody=nobody, ssh=self.port, secret=secret)
        (self.folder / "config.xml").write_text(config)
        (self.folder / "balancer.tac").write_text(TAC)
        askpass = self.folder / "askpass"
        askpass.write_text('#!/bin/sh\nprintf "%s\\n" "$PASSWORD"\n')
        askpass.chmod(0o700)
        self.keyFile = self.newKey("mine", "ed25519")
        self.authorize("mine")
        self.program = self.startProgram()

    def startProgram(self) -> Program:
        program = Program(["twistd", "-noy", "balancer.tac"], self.folder)
        self.addCleanup(program.stop)
        program.waitFor("the manhole listens on")
        return program

    def newKey(self, name: str, kind: str, *options: str) -> Path:
        path = self.folder / name
        command = ["ssh-keygen", "-q", "-t", kind, *options, "-N", "", "-f", str(path)]
        subprocess.run(command, check=True, timeout=PATIENCE)
        return path

    def authorize(self, *names: str) -> None:
        keys = self.folder / "keys"
        keys.write_text("".join((self.folder / f"{n}.pub").read_text() for n in names))
        keys.chmod(0o600)

    def command(
        self,
        *arguments: str,
        user: str = "anna",
        key: Path | None = None,
        before: tuple[str, ...] = (),
    ) -> list[str]:
        """
        C{ssh} with nothing of this machine's configuration. Of options that are
        given twice the first counts, C{before}.
        """
        options = {
            "UserKnownHostsFile": self.folder / "known_hosts",
            "GlobalKnownHostsFile": "/dev/null",
            "StrictHostKeyChecking": "accept-new",
            "IdentityAgent": "none",
            "IdentityFile": key or "none",
            "IdentitiesOnly": "yes",
            "NumberOfPasswordPrompts": "1",
            "ConnectTimeout": "30",
            "LogLevel": "ERROR",
        }
        return [
            "ssh",
            *before,
            *("-F", "none", "-p", str(self.port), "-l", user),
            *(part for name, value in options.items() for part in ("-o", f"{name}={value}")),
            *arguments,
        ]

    def ssh(
        self,
        *arguments: str,
        user: str = "anna",
        key: Path | None = None,
        password: str = SECRET,
        given: str = "",
        before: tuple[str, ...] = (),
    ) -> subprocess.CompletedProcess[str]:
        """
        Run C{ssh} to its end, with a password where no key is given.
        """
        more = {
            "PASSWORD": password,
            "SSH_ASKPASS": str(self.folder / "askpass"),
            "SSH_ASKPASS_REQUIRE": "force",
        }
        return subprocess.run(
            self.command("127.0.0.1", *arguments, user=user, key=key, before=before),
            input=given,
            capture_output=True,
            text=True,
            env=environment(**more),
            timeout=PATIENCE,
            check=False,
        )

    def refused(self, reason: str, user: str = "anna", **how: object) -> None:
        """
        Somebody doesn't get in, and the log says why.
        """
        password = str(how.get("password", SECRET))
        key = how.get("key")
        assert key is None or isinstance(key, Path)
        result = self.ssh("1", user=user, password=password, key=key)
        self.assertEqual((result.returncode, result.stdout), (255, ""))
        self.assertIn("Permission denied", result.stderr)
        self.program.waitFor(f"{user}@{ADDRESS}: login by .* failed: .*{reason}")

    def tearDown(self) -> None:
        """
        Whatever happened, it is no trouble for who reads the log.
        """
        output = self.program.output
        self.assertIsNone(TROUBLE.search(output), output)
        self.assertNotIn(SECRET, output)
        self.assertNotIn("wrong-guess", output)

    # What it is for

    def test_scripts(self) -> None:
        """
        A command, or a pipe: results on stdout, errors on stderr, and a status.
        """
        result = self.ssh("services.getProxyNames()", key=self.keyFile)
        self.assertEqual((result.stdout, result.stderr), ("['web']\n", ""))
        self.assertEqual(result.returncode, 0)
        self.program.waitFor(rf"anna@{ADDRESS}: logged in")
        self.program.waitFor(rf"anna@{ADDRESS}: services\.getProxyNames\(\)")
        self.program.waitFor(rf"anna@{ADDRESS}: logged out")

        result = self.ssh("1/0")
        self.assertEqual((result.returncode, result.stdout), (1, ""))
        self.assertEqual(result.stderr, "ZeroDivisionError: division by zero\n")

        script = (
            "from twisted.internet import reactor, task\n"
            "for host in 'h2', 'h3':\n"
            "    _ = manager.addHost('web', 'green', host, '127.0.0.1:9')\n"
            "\n"
            "_ = manager.switchGroup('web', 'blue', 'green')\n"
            "task.deferLater(reactor, 0.1, len, services.manager.services)\n"
            "status()"
        )
        result = self.ssh(given=script)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        lines = result.stdout.splitlines()
        self.assertEqual(lines[0], "<Deferred #0>")
        self.assertIn(f"  web  127.0.0.1:{self.web}", lines)
        self.assertIn("  group green (roundr, enabled): 2 of 2 hosts ready", lines)
        changed = lines.index(f"changed live, and not in {self.config()}:")
        self.assertRegex("\n".join(lines[changed:]), "(?s)h2.*h3")
        self.assertEqual(lines[-1], "Deferred #0 called back: 1")
        self.program.waitFor(rf"anna@{ADDRESS}: +_ = manager\.addHost\(")

    def config(self) -> str:
        return self.ssh("print(config.path)", key=self.keyFile).stdout.strip()

    def test_prompt(self) -> None:
        """
        Somebody at a terminal.
        """
        with Terminal(self.command("127.0.0.1", key=self.keyFile)) as terminal:
            terminal.expect(r"services, manager, config, status.*>>> ")
            terminal.type("6 * 7\r")
            terminal.expect(r"\r\n42\r\n>>> ")
            terminal.type("services\r")
            terminal.expect(r"<.*LoadBalancedService.*>\r\n>>> ")
            terminal.type("status()\r")
            terminal.expect(r"group blue \(leastc, enabled\): 1 of 1 hosts ready.*as in .*>>> ")
            for typed, completed in (
                ("setWe", "ight"),
                ("'w", "eb'"),
                (", 'bl", "ue'"),
                (", 'h", "1'"),
            ):
                # What comes at once is a paste, in which a tab is one.
                terminal.type(typed)
                terminal.expect(typed[-1:])
                terminal.type("\t")
                terminal.expect(completed)
            terminal.type(", 5)\r")
            terminal.expect(r"\r\nhost-weight web/blue/h1: weight 1 -> 5, by ssh:anna\r\n>>> ")
            terminal.type("manager.ready('web', 'blue', 'h9')\r")
            terminal.expect(r"\r\nUnknownName: [^\r]*'h9'[^\r]*\r\n>>> ")
            terminal.type("help(switchGroup)\r")
            terminal.expect(r"switchGroup\(service, group\)\r\n.*another of its groups.*>>> ")
            terminal.type("1/0\r")
            terminal.expect(r"ZeroDivisionError: division by zero\r\n>>> ")
            terminal.type("while True: pas\x03")
            terminal.expect(r"KeyboardInterrupt\r\n>>> ")
            terminal.type("def f(x):\r    return x + 'é'\r\rf('ü')\r")
            terminal.expect(r"'üé'\r\n>>> ")
            terminal.type("\x1b[A\r")
            terminal.expect(r"'üé'\r\n>>> ")
            terminal.type("input()\r")
            terminal.expect(r"EOFError.*>>> ")
            terminal.type("\x04")
            self.assertEqual(terminal.wait(), 0)
        self.program.waitFor(rf"anna@{ADDRESS}: 6 \* 7$")
        self.program.waitFor(rf"anna@{ADDRESS}: f\('ü'\)$")

    # Who gets in

    def test_passwords(self) -> None:
        self.assertEqual(self.ssh("6 * 7").stdout, "42\n")
        self.refused("the password is wrong", password="wrong-guess")
        self.refused("there is no such user", user="nobody")
        result = self.ssh("1", user="rita", password=SECRET)
        told = "a Python prompt needs full access, and ssh:rita has readonly access"
        self.assertEqual((result.returncode, result.stdout), (1, ""))
        self.assertEqual(result.stderr.strip(), told)
        self.program.waitFor(f"rita@{ADDRESS}: {told}")
        self.refused("no argon2id hash", user="olga")
        self.program.waitFor("user 'olga' can't log in .*crypt.*txlb passwd")

    def test_keys(self) -> None:
        other = self.newKey("other", "ecdsa")
        third = self.newKey("third", "rsa")
        self.refused("the key is not in authorizedKeys", key=other, password="wrong-guess")
        self.assertEqual(self.ssh("1", user="rita", key=self.keyFile).returncode, 1)
        self.authorize("mine", "other", "third")
        for key in (self.keyFile, other, third):
            result = self.ssh("6 * 7", key=key, before=("-o", "PasswordAuthentication=no"))
            self.assertEqual((result.stdout, result.stderr), ("42\n", ""))
        self.authorize("third")
        self.refused("the key is not in", key=other, password="wrong-guess")

    def test_paramiko(self) -> None:
        """
        A client that asks for the service again with each try: a wrong key, a right one, a wrong
        password and the right one.
        """
        if paramiko is None:
            raise SkipTest("paramiko is not installed")
        other, mine = (
            paramiko.Ed25519Key.from_private_key_file(str(path))
            for path in (self.newKey("other", "ed25519"), self.keyFile)
        )
        for wrong, right in (
            (("auth_publickey", other), ("auth_publickey", mine)),
            (("auth_password", "wrong-guess"), ("auth_password", SECRET)),
        ):
            with closing(paramiko.Transport(("127.0.0.1", self.port))) as transport:
                transport.start_client(timeout=PATIENCE)
                with self.assertRaises(paramiko.AuthenticationException):
                    getattr(transport, wrong[0])("anna", wrong[1])
                getattr(transport, right[0])("anna", right[1])
                session = transport.open_session(timeout=PATIENCE)
                session.exec_command("6 * 7")
                self.assertEqual(session.makefile().read(), b"42\n")

    def test_securityKeys(self) -> None:
        """
        FIDO keys, made and used by OpenSSH with a device that is software: those that sign
        only when they are touched get in, the others don't.
        """
        if not SECURITY_KEY.exists():
            raise SkipTest(f"OpenSSH's tests are not installed: no {SECURITY_KEY}")
        device = ("-o", f"SecurityKeyProvider={SECURITY_KEY}", "-o", "PasswordAuthentication=no")
        for kind in ("ed25519-sk", "ecdsa-sk"):
            options: tuple[str, ...] = ("-w", str(SECURITY_KEY))
            touched = self.newKey(kind, kind, *options)
            untouched = self.newKey(f"{kind}-2", kind, *options, "-O", "no-touch-required")
            self.authorize(kind, f"{kind}-2")
            self.assertEqual(self.ssh("6 * 7", key=touched, before=device).stdout, "42\n")
            result = self.ssh("6 * 7", key=untouched, before=device)
            self.assertEqual((result.returncode, result.stdout), (255, ""))
            self.program.waitFor("login by publickey failed: the security key was not touched")

    def test_strictModes(self) -> None:
        """
        A folder above the keys that others may write to is as good as no keys.
        """
        self.folder.chmod(0o777)
        why = "is not used: its folder .*chmod go-w"
        self.refused(why, key=self.keyFile, password="wrong-guess")
        self.folder.chmod(0o755)
        self.assertEqual(self.ssh("6 * 7", key=self.keyFile).stdout, "42\n")

    def test_silence(self) -> None:
        """
        Connections that say nothing keep nobody out.
        """
        for _ in range(3):
            for _ in range(40):
                silent = socket.create_connection(("127.0.0.1", self.port), PATIENCE)
                self.addCleanup(silent.close)
            # They count as silent this long after they were accepted.
            time.sleep(SILENCE + 0.5)
            result = self.ssh("6 * 7", key=self.keyFile)
            self.assertEqual(result.stdout, "42\n", result.stderr + self.program.output[-2000:])

    # What it doesn't do

    def test_audit(self) -> None:
        """
        ssh-audit finds nothing to warn of, but that two key exchanges are none against quantum
        computers. They are for clients that have no other one in common with Conch, as OpenSSH
        before release 9.9.
        """
        program = Path(sys.executable).with_name("ssh-audit")
        if not program.exists():
            raise SkipTest("ssh-audit is not installed")
        command = [str(program), "-n", "-b", "-l", "warn", "-p", str(self.port), "127.0.0.1"]
        audit = subprocess.run(
            command, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
        said = [line for line in audit.stdout.splitlines() if "[" in line or "(nfo)" in line]
        left = [
            line
            for line in said
            if not ("curve25519-sha256" in line and "against post-quantum attacks" in line)
        ]
        self.assertEqual(left, [], audit.stdout + audit.stderr)
        self.assertLessEqual(len(said), 2)

    def test_oldAlgorithms(self) -> None:
        for option in (
            "Ciphers=aes128-cbc,3des-cbc",
            "MACs=hmac-sha1,hmac-md5",
            "MACs=hmac-sha2-256,hmac-sha2-512,umac-128@openssh.com",
            "KexAlgorithms=diffie-hellman-group14-sha1,diffie-hellman-group-exchange-sha1",
            "KexAlgorithms=ecdh-sha2-nistp256,ecdh-sha2-nistp384,ecdh-sha2-nistp521",
            "HostKeyAlgorithms=ssh-rsa,rsa-sha2-512",
        ):
            result = self.ssh("1", key=self.keyFile, before=("-o", option, *TALKATIVE))
            self.assertEqual((result.returncode, result.stdout), (255, ""), option)
            self.assertIn("no matching", result.stderr)
        result = self.ssh("1", key=self.keyFile, before=("-vv",))
        _, _, told = result.stderr.partition("peer server KEXINIT proposal")
        offered = told[: told.index("debug1: kex:")]
        for old in ("sha1", "md5", "cbc", "3des", "zlib", "ssh-rsa", "ssh-dss", "arcfour", "nist"):
            self.assertNotIn(old, offered)
        self.assertIn("host key algorithms: ssh-ed25519\n", offered)

    def test_noWayThrough(self) -> None:
        """
        No forwarding, no files.
        """
        through = ("-W", f"127.0.0.1:{self.web}", *TALKATIVE)
        result = self.ssh(key=self.keyFile, before=through)
        self.assertNotEqual(result.returncode, 0)
        self.assertIn("administratively prohibited", result.stderr)
        self.program.waitFor(rf"anna@{ADDRESS}: refused a channel of the kind b'direct-tcpip'")
        back = ("-o", "ExitOnForwardFailure=yes", "-R", f"0:127.0.0.1:{self.web}")
        result = self.ssh("1", key=self.keyFile, before=back)
        self.assertEqual((result.returncode, result.stdout), (255, ""))
        result = self.ssh("sftp", key=self.keyFile, before=("-s",))
        self.assertNotEqual(result.returncode, 0)
        self.program.waitFor(rf"anna@{ADDRESS}: refused subsystem")

    # Its life

    def test_hostKey(self) -> None:
        """
        It is made once, for its owner alone, and known again after a restart.
        """
        path = self.folder / "state" / "ssh_host_ed25519_key"
        self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)
        self.assertEqual(stat.S_IMODE(path.parent.stat().st_mode), 0o700)
        before = path.read_bytes()
        listed = subprocess.run(
            ["ssh-keygen", "-l", "-f", str(path)], capture_output=True, text=True, check=True
        ).stdout
        logged = self.program.waitFor(r"its host key is (SHA256:\S+)").group(1)
        self.assertIn(f" {logged} ", listed)
        self.assertEqual(self.ssh("1").returncode, 0)
        self.program.stop()
        self.program = self.startProgram()
        self.assertEqual(path.read_bytes(), before)
        strict = ("-o", "StrictHostKeyChecking=yes")
        self.assertEqual(self.ssh("1", before=strict).returncode, 0)

    def test_end(self) -> None:
        """
        Who is at the prompt when the balancer ends is told so, and does not hold
        it up.
        """
        with Terminal(self.command("127.0.0.1", key=self.keyFile)) as terminal:
            terminal.expect(">>> ")
            self.program.process.send_signal(signal.SIGTERM)
            terminal.expect("The balancer ends this session")
            self.assertNotEqual(terminal.wait(), 0)
            self.program.process.wait(PATIENCE)
        self.program.waitFor(rf"anna@{ADDRESS}: logged out")


class Terminal:
    """
    A program at a terminal of its own.
    """

    def __init__(self, command: list[str]) -> None:
        self._seen = ""
        self._descriptor, other = pty.openpty()
        self._process = subprocess.Popen(
            command,
            stdin=other,
            stdout=other,
            stderr=other,
            env=environment(TERM="xterm"),
            start_new_session=True,
        )
        os.close(other)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._process.kill()
        self._process.wait(PATIENCE)
        os.close(self._descriptor)

    def type(self, text: str) -> None:
        """
        Press keys.
        """
        os.write(self._descriptor, text.encode())

    def expect(self, pattern: str) -> None:
        """
        Wait until something is on the screen, below what was expected before.

        @raise AssertionError: it does not come.
        """
        deadline = time.monotonic() + PATIENCE
        while (found := re.search(pattern, self._seen, re.DOTALL)) is None:
            if time.monotonic() > deadline or not self._read():
                raise AssertionError(f"{pattern!r} is not in {self._seen!r}")
        self._seen = self._seen[found.end() :]

    def wait(self) -> int:
        """
        @return: the exit status of the program, once it has ended.
        """
        deadline = time.monotonic() + PATIENCE
        while self._read() and time.monotonic() < deadline:
            pass
        return self._process.wait(PATIENCE)

    def _read(self) -> bool:
        """
        @return: whether there may be more to come.
        """
        ready, _, _ = select.select([self._descriptor], [], [], 1)
        if not ready:
            return True
        data = b""
        # The other end being closed is an error, with a terminal.
        with contextlib.suppress(OSError):
            data = os.read(self._descriptor, 65536)
        self._seen += data.decode("utf-8", "replace")
        return bool(data)
