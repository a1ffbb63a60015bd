"""
The references of the command line and of the control socket's commands. Both are made from the
list of commands, that of the command line by its parser.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from sphinx.application import Sphinx

from txlb.admin import COMMANDS
from txlb.admin._arguments import Argument
from txlb.admin._settings import describedSettings
from txlb.cli import COMMANDS as WORDS

_INTRODUCTION = (
    "``txlb`` shows and changes a running balancer, and helps to set one up. "
    ":doc:`/how-to/command-line` describes its use. ``twistd txlb`` runs the balancer itself, see "
    ":doc:`/how-to/run`."
)

_STATUSES = (
    ("0", "success"),
    ("1", "an error, or a refusal; stderr has the reason, and nothing has changed"),
    ("2", "the command line is wrong"),
    ("3", "there is no balancer: no control socket, no process listening on it, or not yours"),
    ("4", "the balancer has gone, did not answer in time, or is another version of txlb"),
    ("5", "there is a difference, with ``--exit-code``"),
    ("130, 141", "Ctrl-C; the reader of its output is gone"),
)


def commandLinePage() -> str:
    """
    Return the page of the command line.
    """
    lines = [
        "Command line",
        "============",
        "",
        _INTRODUCTION,
        "",
        "Exit statuses",
        "-------------",
        "",
        *_table("status", "meaning", _STATUSES),
        "",
    ]
    for word in WORDS:
        parser = argparse.ArgumentParser(prog=f"txlb {word.name}", add_help=False)
        word.configure(parser)
        lines += [word.name, "-" * len(word.name), "", word.description, ""]
        usage = " ".join(parser.format_usage().removeprefix("usage: ").split())
        lines += [".. code-block:: text", "", f"   {usage}", ""]
        arguments = list(_argumentsOf(parser))
        if arguments:
            lines += [*_table("argument", "meaning", arguments), ""]
    return "\n".join(lines)


def _argumentsOf(parser: argparse.ArgumentParser) -> Iterator[tuple[str, str]]:
    for action in parser._actions:  # noqa: SLF001 - argparse has no other way to ask
        names = ", ".join(action.option_strings)
        value = "" if action.nargs == 0 else (action.metavar or "|".join(action.choices or ()))
        # A star would begin emphasis.
        meaning = (action.help or "").replace("*", r"\*")
        yield f"``{' '.join(filter(None, (names, str(value))))}``", meaning


def controlCommands() -> str:
    """
    Return the commands of the control socket.
    """
    lines: list[str] = []
    for command in COMMANDS:
        name = command.wireName
        lines += [name, "~" * len(name), "", f"{command.doc} Access: {command.access}.", ""]
        arguments = [
            (
                f"``{each.name}``",
                f"{each.kind.word}; {each.doc}" + _default(each) + _names(each),
            )
            for each in command.arguments
        ]
        if arguments:
            lines += [*_table("argument", "meaning", arguments), ""]
    return "\n".join(lines)


def _names(argument: Argument) -> str:
    of = argument.kind.settingsOf
    names = ", ".join(f"``{name}``" for name, _ in describedSettings(of)) if of else ""
    return f". Names: {names}" if names else ""


def _default(argument: Argument) -> str:
    if argument.required:
        return ""
    return f"; by default ``{argument.default!r}``" if argument.default else "; may be left out"


def _table(left: str, right: str, rows: object) -> list[str]:
    lines = [".. list-table::", "   :header-rows: 1", "   :widths: 25 75", ""]
    for first, second in ((left, right), *rows):  # type: ignore[misc]  # pairs of texts
        lines += [f"   * - {first}", f"     - {second}"]
    return lines


def write(app: Sphinx) -> None:
    """
    Write the pages that have changed.
    """
    folder = Path(app.srcdir) / "reference" / "generated"
    folder.mkdir(parents=True, exist_ok=True)
    pages = {"command-line.rst": commandLinePage(), "control-commands.inc": controlCommands()}
    for name, text in pages.items():
        path = folder / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def setup(app: Sphinx) -> dict[str, object]:
    """
    Connect to Sphinx.
    """
    app.connect("builder-inited", write, priority=100)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
