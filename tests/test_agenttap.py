"""
Tests for L{txlb.agenttap}.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from twisted.application.service import MultiService
from twisted.python.usage import Options as TwistdOptions
from twisted.python.usage import UsageError
from twisted.trial.unittest import SynchronousTestCase

from tests.certificates import Authority
from txlb import agenttap
from txlb.discovery import AnnounceService, StompAnnounceService
from txlb.discovery._renewalservice import RenewalService
from txlb.errors import ModelError
from txlb.process import TwistdService
from txlb.resources import AgentService

ANNOUNCED = (
    "-l",
    "127.0.0.1:0",
    "--announce=http://127.0.0.1:2379 http://127.0.0.1:2380",
    "--service=web",
    "--group=main",
    "--address=127.0.0.1:7001",
)


class TapTests(SynchronousTestCase):
    def test_options(self) -> None:
        options = agenttap.Options()
        options.parseOptions(["-l", "127.0.0.1:0", "-i", "0.5"])
        agent = agenttap.makeService(options)
        assert isinstance(agent, AgentService)
        self.assertEqual((agent._interval, len(agent.addresses)), (0.5, 1))
        agent.stopService()

    def test_interval(self) -> None:
        """
        It may have a unit.
        """
        for text, seconds in (("500ms", 0.5), ("1m", 60.0), ("2", 2.0)):
            options = agenttap.Options()
            options.parseOptions(["-i", text])
            self.assertEqual(options["interval"], seconds)

    def test_wrong(self) -> None:
        for words in (["-i", "often"], ["word"]):
            self.assertRaises(UsageError, agenttap.Options().parseOptions, words)
        options = agenttap.Options()
        options.parseOptions(["-l", "nowhere:x"])
        written: list[str] = []
        stderr = SimpleNamespace(write=written.append, flush=lambda: None)
        self.patch(sys, "stderr", stderr)
        self.assertRaises(SystemExit, agenttap.makeService, options)
        self.assertIn("nowhere:x", written[0])

    def test_UNIX(self) -> None:
        """
        A socket in the file system belongs to the user that the process will be, who can remove it
        in the end. One that can't be made is an error with its reason.
        """
        folder = tempfile.mkdtemp(prefix="txlb")
        self.addCleanup(shutil.rmtree, folder)
        given: list[tuple[object, ...]] = []
        self.patch(os, "chown", lambda *args, **_: given.append(args))
        written: list[str] = []
        stderr = SimpleNamespace(write=written.append, flush=lambda: None)
        self.patch(sys, "stderr", stderr)
        for path in (f"{folder}/agent", f"{folder}/no/agent"):
            options = agenttap.Options()
            twistd = TwistdOptions()
            twistd.update({"uid": 5, "gid": 6, "nodaemon": True, "syslog": True})
            options.parent = twistd
            options.parseOptions(["-l", f"unix:{path}"])
            if "/no/" in path:
                self.assertRaises(SystemExit, agenttap.makeService, options)
                continue
            service = agenttap.makeService(options)
            assert isinstance(service, TwistdService)
            self.assertEqual(given, [(path, 5, 6)] if os.geteuid() == 0 else [])
            service.stopService()
            self.assertFalse(os.path.exists(path))
        self.assertIn(f"can't listen on unix:{folder}/no/agent: No such file", written[0])


class AnnounceTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.written: list[str] = []
        stderr = SimpleNamespace(write=self.written.append, flush=lambda: None)
        self.patch(sys, "stderr", stderr)

    def make(self, *words: str) -> AnnounceService:
        options = agenttap.Options()
        options.parseOptions([*ANNOUNCED, *words])
        both = agenttap.makeService(options)
        assert isinstance(both, MultiService)
        agent, announced, *_ = both.services
        assert isinstance(agent, AgentService) and isinstance(announced, AnnounceService)
        self.addCleanup(agent.stopService)
        return announced

    def test_made(self) -> None:
        self.assertEqual(self.make().key, "txlb/web/main/127.0.0.1:7001")

    def test_everything(self) -> None:
        path, pem = self.mktemp(), self.mktemp()
        with open(path, "w") as file:
            file.write("secret\n")
        with open(pem, "wb") as file:
            file.write(Authority().pem)
        made = self.make(
            "--name=app",
            "--weight=3",
            "--priority=2",
            "--prefix=here",
            "--ttl=1m",
            "--drain-time=500ms",
            "--user=u",
            f"--password-file={path}",
            f"--ca={pem}",
            "--metadata=zone=a",
            "--metadata=rack=7",
        )
        self.assertEqual(made.key, "here/web/main/app")
        self.assertEqual((made._ttl, made.announcement.drainTime), (60, 0.5))
        self.assertEqual((made.announcement.host.weight, made.announcement.host.priority), (3, 2))
        self.assertEqual(dict(made.announcement.host.metadata), {"zone": "a", "rack": "7"})
        self.assertEqual((made._account["user"], made._account["password"]), ("u", "secret"))
        self.assertIn(b"CERTIFICATE", made._account["ca"])

    def test_renewed(self) -> None:
        """
        Files that are renewed count, and one that can't be used changes nothing.
        """
        pem, password = self.mktemp(), self.mktemp()
        Path(pem).write_bytes(Authority().pem)
        Path(password).write_text("old")
        options = agenttap.Options()
        options.parseOptions(
            [*ANNOUNCED, f"--ca={pem}", "--user=me", f"--password-file={password}"]
        )
        services: Any = agenttap.makeService(options)
        agent, announced, renewals = services.services
        self.addCleanup(agent.stopService)
        assert isinstance(announced, AnnounceService) and isinstance(renewals, RenewalService)
        Path(pem).write_bytes(b"garbage")
        Path(password).write_text("new")
        error = self.assertRaises(ModelError, renewals._followed._changed, renewals._read())
        self.assertIn("--ca: ca has no certificate", str(error))
        self.assertEqual(announced._account["password"], "old")
        other = Authority().pem
        Path(pem).write_bytes(other)
        renewals._followed._changed(renewals._read())
        self.assertEqual((announced._account["password"], announced._account["ca"]), ("new", other))

    def test_wrong(self) -> None:
        """
        An error names the option.
        """
        for words, told in (
            (("--announce=nowhere",), "--announce"),
            (("--announce=",), "--announce"),
            (("--service=a/b",), "--service: "),
            (("--group=",), "--group: "),
            (("--address=nowhere",), "--address: "),
            (("--name=a/b",), "--name: "),
            (("--weight=-1",), "--weight"),
            (("--priority=x",), "--priority"),
            (("--prefix=a b",), "--prefix"),
            (("--ttl=1",), "--ttl"),
            (("--drain-time=x",), "--drain-time"),
            (("--user=",), "--user"),
            (("--password-file=x",), "--password-file needs --user"),
            (("--metadata=x",), "--metadata"),
        ):
            with self.subTest(words):
                error = self.assertRaises(
                    UsageError, agenttap.Options().parseOptions, [*ANNOUNCED, *words]
                )
                self.assertTrue(str(error).startswith(told), str(error))

    def test_broker(self) -> None:
        """
        URLs of brokers announce the host through these.
        """
        words = [each for each in ANNOUNCED if not each.startswith("--announce")]
        options = agenttap.Options()
        options.parseOptions(
            [
                *words,
                "--announce=stomp://127.0.0.1:61613 stomp+ssl://127.0.0.1:61614",
                "--destination=/topic/x",
                "--virtual-host=v",
                "--user=me",
            ]
        )
        both = agenttap.makeService(options)
        assert isinstance(both, MultiService)
        agent, announced = both.services
        assert isinstance(agent, AgentService) and isinstance(announced, StompAnnounceService)
        agent.stopService()
        self.assertEqual(announced._destination, "/topic/x")
        settings = announced._settings
        self.assertEqual((settings.virtualHost, settings.user), ("v", "me"))
        self.assertEqual(len(settings.brokers), 2)
        for more, said in (
            (["--prefix=a"], "--prefix is of no use with a broker"),
            (["--announce=stomp://me:secret@a:1"], "wrong URL"),
            (["--announce=http://127.0.0.1:1", "--destination=/x"], "of no use with etcd"),
        ):
            options = agenttap.Options()
            announce = [] if "--announce" in more[0] else ["--announce=stomp://127.0.0.1:61613"]
            error = self.assertRaises(UsageError, options.parseOptions, [*words, *announce, *more])
            self.assertIn(said, str(error))

    def test_notTogether(self) -> None:
        for words, told in (
            (ANNOUNCED[:5], "--announce needs --address"),
            (ANNOUNCED[3:], "--service is of use only with --announce"),
            (("--metadata=a=b",), "--metadata is of use only with --announce"),
        ):
            error = self.assertRaises(UsageError, agenttap.Options().parseOptions, [*words])
            self.assertEqual(str(error), told + (" as well" if "needs" in told else ""))

    def test_wrongFiles(self) -> None:
        path = os.path.abspath(self.mktemp())
        for words in (("--user=u", f"--password-file={path}"), (f"--ca={path}",)):
            self.assertRaises(SystemExit, self.make, *words)
            self.assertIn(f"{words[-1].partition('=')[0]} is '{path}', which", self.written[-1])
        with open(path, "w") as file:
            file.write("none\n")
        for option in ("--ca", "--client-certificate"):
            self.assertRaises(SystemExit, self.make, f"{option}={path}")
            self.assertIn(f"{option}: ", self.written[-1])
