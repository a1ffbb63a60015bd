"""
Tests for how the remedies of an error are told: by the control socket
(L{txlb.admin.control._protocol}), by C{txlb} (L{txlb.cli._client}), in the manhole and in
the log (L{txlb.application._file}).
"""

from __future__ import annotations

import inspect
import os
from typing import Any

from twisted.protocols import amp

from tests.admin.control.test_protocol import ProtocolCase
from tests.admin.targets import ANNA
from tests.application.test_file import FILE, FileCase
from txlb.admin._commands import findCommand
from txlb.admin._functions import functions
from txlb.admin._history import History
from txlb.admin._target import Target
from txlb.cli._client import _refusal
from txlb.cli._main import _parser
from txlb.errors import ConfigurationConflict, Remedy

REMEDIES = (
    Remedy("let the file count alone", "reload", "discard"),
    Remedy("save first", "save"),
)


class DoorTests(ProtocolCase):
    """
    Each way to give commands spells the remedies in its own words.
    """

    def conflict(self, *lines: str) -> Any:
        """
        @return: the answer to a reload that finds a conflict.
        """

        def reload(**_values: object) -> Any:
            raise ConfigurationConflict(lines, REMEDIES)

        assert self.balancer.configuration is not None
        self.patch(self.balancer.configuration, "reload", reload)
        return self.ask("Reload")

    def test_controlSocket(self) -> None:
        answer = self.conflict("they contradict each other", "nothing was done")
        self.assertEqual(answer[amp.ERROR_CODE], b"REFUSED")
        self.assertEqual(
            answer[amp.ERROR_DESCRIPTION].decode().split("\n"),
            [
                "they contradict each other",
                "nothing was done",
                "to let the file count alone: Reload discard=True",
                "to save first: Save",
            ],
        )

    def test_shell(self) -> None:
        """
        C{txlb} has the remedies as data, and puts its own words in the place of
        AMP's. What it can't read it shows as it came.
        """
        box = self.conflict("they contradict each other")
        decoded = {key.decode(): value.decode() for key, value in box.items()}
        self.assertEqual(
            str(_refusal(decoded)).split("\n"),
            [
                "they contradict each other",
                "to let the file count alone: txlb reload --discard",
                "to save first: txlb save",
            ],
        )
        for wrong in ("", "[", "[1]", "7", '["abcd"]', '[["a"]]'):
            told = str(_refusal({**decoded, "_error_remedies": wrong}))
            self.assertEqual(told, decoded["_error_description"])

    def test_manyLines(self) -> None:
        """
        Lines of a message that are too many are left out before its remedies, not behind them.
        """
        text = self.conflict(*(["x" * 200] * 500))[amp.ERROR_DESCRIPTION].decode()
        self.assertLess(len(text), 31_000)
        self.assertEqual(
            text.split("\n")[-2:],
            ["to let the file count alone: Reload discard=True", "to save first: Save"],
        )
        # Whole lines are left out, and counted.
        *kept, more = text.split("\n")[:-2]
        self.assertEqual(set(kept), {"x" * 200})
        self.assertEqual(more, f"and {500 - len(kept)} more lines")

    def test_otherErrors(self) -> None:
        """
        An error that comes after has none of them.
        """
        protocol, wire = self.client()
        self.conflict("x")
        self.assertNotIn(b"_error_remedies", self.ask("Frob"))
        self.assertEqual((protocol._remedies, wire.value()), ({}, b""))


class ConflictTests(FileCase):
    """
    The remedies of a file's conflicts are commands that there are.
    """

    def conflicts(self) -> list[ConfigurationConflict]:
        """
        @return: an error of each kind.
        """
        self.manager.setWeight("web", "prod", "h2", 5)
        self.write(FILE.replace('weight="2"', 'weight="3"'))
        found = [
            self.assertRaises(ConfigurationConflict, do)
            for do in (self.reload, self.plan, self.save)
        ]
        os.unlink(self.path)
        return [*found, self.assertRaises(ConfigurationConflict, self.save)]

    def test_areCommands(self) -> None:
        lbs: Any = self.lbs
        prompt = functions(Target(lbs, self.file, History()), ANNA)
        for error in self.conflicts():
            self.assertTrue(error.remedies)
            self.assertNotIn("services.", str(error))
            for remedy in error.remedies:
                self.assertIn(f"to {remedy.purpose}: {remedy.python}", str(error).split("\n"))
                name, option = remedy.command, remedy.option
                given = {option: True} if option else {}
                self.assertEqual(remedy.python, f"{name}({option + '=True' if option else ''})")
                inspect.signature(prompt[name]).bind(**given)
                command = findCommand(remedy.wire.split(" ")[0])
                self.assertEqual(command.name, name)
                self.assertLessEqual(set(given), {each.name for each in command.arguments})
                program, *words = remedy.shell.split(" ")
                parsed = vars(_parser().parse_args(words))
                self.assertEqual((program, parsed["prog"]), ("txlb", f"txlb {name}"))
                self.assertLessEqual({f"given_{option}" for option in given}, set(parsed))
                self.assertTrue(all(parsed[f"given_{option}"] for option in given))

    def test_log(self) -> None:
        """
        Who reads the log may have the shell, the manhole, or both.
        """
        self.conflicts()
        logged = "\n".join(self.logged).split("\n")
        for purpose, shell, manhole in (
            ("let the file count alone", "txlb reload --discard", "reload(discard=True)"),
            ("take over what is in the file, and save after it", "txlb reload", "reload()"),
            ("write it anew", "txlb save --overwrite", "save(overwrite=True)"),
        ):
            self.assertIn(f"to {purpose}: {shell}, or in the manhole {manhole}", logged)

    def test_help(self) -> None:
        """
        They do what they say.
        """
        lbs: Any = self.lbs
        prompt = functions(Target(lbs, self.file, History()), ANNA)
        self.conflicts()
        prompt["save"](overwrite=True)
        self.assertIn('weight="5"', self.read())
        self.write(FILE.replace('weight="2"', 'weight="3"'))
        self.manager.setWeight("web", "prod", "h2", 6)
        self.assertRaises(ConfigurationConflict, prompt["reload"])
        prompt["reload"](discard=True)
        self.assertEqual(self.manager.getHost("web", "prod", "h2").weight, 3)
