"""
Tests for L{txlb.cli._client} and L{txlb.cli._where}.
"""

from __future__ import annotations

import argparse
import io
import os
from functools import partial

from tests.cli.support import BalancerTests, Box
from txlb.cli import _where
from txlb.cli._client import Client, environmentColours
from txlb.cli._command import Failed
from txlb.cli._where import findSocket

CONFIG = b"""<config>
  <service name="web">
    <listen ip=":80"/><group name="g" enable="yes"><host ip="127.0.0.1:81"/></group>
  </service>
  %s
</config>
"""


class ClientTests(BalancerTests):
    def failed(self, status: int) -> str:
        found, out, err = self.run_("status")
        self.assertEqual((found, out), (status, ""))
        return err

    def test_pages(self) -> None:
        """
        A long answer is put together.
        """
        door = self.open(self.page)
        with Client(self.path) as client:
            self.assertEqual(client.rows("Status"), [{"n": n} for n in range(5)])
        self.assertEqual([box["_command"] for box in door.asked], ["Status"] + ["More"] * 4)

    pages = 0

    def page(self, box: Box) -> Box:
        self.pages += 1
        return {
            "_answer": "1",
            "rows": f'[{{"n":{self.pages - 1}}}]',
            "more": str(self.pages < 5),
        }

    def test_nobody(self) -> None:
        self.assertIn("there is no such socket; is the balancer running?", self.failed(3))

    def test_longPath(self) -> None:
        """
        The path may be longer than the address of a socket: that of a cloned application is
        in a folder of its own.
        """
        self.open()
        folder = os.path.join(self.folder, "long" * 30)
        os.mkdir(folder)
        os.rename(self.path, os.path.join(folder, "control"))
        status, out, err = self.run_("status", "-s", os.path.join(folder, "control"))
        self.assertEqual((status, err), (0, ""))
        self.assertIn("service web", out)
        status, _, err = self.run_("status", "-s", os.path.join(folder, "nothing"))
        self.assertEqual(status, 3)
        self.assertIn("there is no such socket", err)
        status, _, err = self.run_("status", "-s", os.path.join(folder, "no", "control"))
        self.assertEqual(status, 3)

    def test_dead(self) -> None:
        self.open().close()
        self.assertIn("no process listens there any more", self.failed(3))

    def test_file(self) -> None:
        with open(self.path, "w"):
            pass
        self.assertIn(f"{self.path}: that is no socket\n", self.failed(3))

    def test_folder(self) -> None:
        os.mkdir(self.path)
        self.assertIn(f"{self.path}: that is a folder and no socket\n", self.failed(3))

    def test_closed(self) -> None:
        self.open(lambda _: None)
        self.assertIn("the balancer has closed the connection", self.failed(4))

    def test_noAnswer(self) -> None:
        self.open(lambda _: b"")
        with Client(self.path, patience=0.05) as client:
            error = self.assertRaises(Failed, client.rows, "Status")
        self.assertIn("no answer within 0.05 s", str(error))
        self.assertEqual(error.status, 4)

    def test_wrongAnswers(self) -> None:
        answers: list[Box | bytes] = [b"\xff\xff", {"_answer": "1"}, {"_answer": "1", "rows": "x"}]
        for answer in answers:
            door = self.open(partial(self.always, answer))
            self.assertNotEqual(self.failed(4), "")
            door.close()
            os.unlink(self.path)

    def always(self, answer: Box | bytes, _question: Box) -> Box | bytes:
        return answer

    def test_otherVersion(self) -> None:
        self.open(
            lambda _: {
                "_answer": "1",
                "rows": '[{"row":"service","name":"web"}]',
                "more": "False",
            }
        )
        self.assertIn("another version of txlb; --json shows", self.failed(4))

    def test_tooOld(self) -> None:
        self.open(lambda _: {"_error": "1", "_error_code": "UNHANDLED", "_error_description": "x"})
        self.assertIn("the balancer that runs is too old for this: x", self.failed(1))

    def test_noDescription(self) -> None:
        self.open(lambda _: {"_error": "1", "_error_code": "REFUSED"})
        self.assertEqual(self.failed(1), "txlb status: REFUSED\n")

    def test_tooLong(self) -> None:
        self.open()
        status, _, err = self.run_("client-address", "x" * 70_000, "1")
        self.assertEqual(status, 1)
        self.assertIn("at most 65535 fit", err)

    def test_colours(self) -> None:
        class Terminal(io.StringIO):
            def isatty(self) -> bool:
                return True

        environment: dict[str, str] = {"TERM": "xterm"}
        self.patch(os, "environ", environment)
        self.assertTrue(environmentColours(Terminal()))
        self.assertFalse(environmentColours(io.StringIO()))
        environment["NO_COLOR"] = "1"
        self.assertFalse(environmentColours(Terminal()))
        self.patch(os, "environ", {"TERM": "dumb"})
        self.assertFalse(environmentColours(Terminal()))


class WhereTests(BalancerTests):
    def find(self, **given: str) -> str:
        environment = given.pop("environment", "")
        arguments = argparse.Namespace(socket=given.get("socket"), config=given.get("config"))
        return findSocket(
            arguments,
            {
                "TXLB_SOCKET": environment,
                "XDG_RUNTIME_DIR": given.get("runtime", ""),
                "STATE_DIRECTORY": os.path.join(self.folder, "state"),
            },
        )

    def lost(self, **given: str) -> Failed:
        error = self.assertRaises(Failed, self.find, **given)
        assert isinstance(error, Failed)
        return error

    def test_order(self) -> None:
        path = self.file(CONFIG % b'<control socket="run/control"/>')
        self.assertEqual(self.find(socket="/s", config=path, environment="/e"), "/s")
        expected = os.path.join(os.path.dirname(os.path.abspath(path)), "run/control")
        self.assertEqual(self.find(config=path, environment="/e"), expected)
        self.assertEqual(self.find(environment="/e"), "/e")

    def test_usualPlaces(self) -> None:
        here = os.path.join(self.folder, "system")
        self.patch(_where, "SYSTEM_SOCKET", here)
        runtime = os.path.join(self.folder, "txlb")
        os.mkdir(runtime)
        error = self.lost(runtime=self.folder)
        self.assertEqual(error.status, 3)
        told = f"there is no {here} or {runtime}/control, and no demo runs; say where"
        self.assertIn(told, str(error))
        demo = os.path.join(self.folder, "state", "demo")
        os.makedirs(demo)
        with open(os.path.join(demo, "control"), "w"):
            pass
        self.assertEqual(self.find(runtime=self.folder), f"{demo}/control")
        with open(os.path.join(runtime, "control"), "w"):
            pass
        self.assertEqual(self.find(runtime=self.folder), f"{runtime}/control")
        with open(here, "w"):
            pass
        self.assertEqual(self.find(runtime=self.folder), here)

    def test_relativeRuntime(self) -> None:
        self.patch(_where, "SYSTEM_SOCKET", "/nowhere")
        self.assertIn("there is no /nowhere, and no demo runs; say", str(self.lost(runtime="run")))

    def test_config(self) -> None:
        self.assertIn("has no control socket", str(self.lost(config=self.file(CONFIG % b""))))
        error = self.lost(config="missing")
        self.assertEqual((str(error), error.status), (
            "missing: it can't be read: No such file or directory", 1,
        ))  # fmt: skip
