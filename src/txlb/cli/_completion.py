"""
C{txlb completion}: the script by which a shell completes C{txlb}'s command lines.

The script asks C{txlb} itself for words, by C{argcomplete}: that reads the parser, so that
the words are those that are understood, and asks a running balancer for names.
"""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING, TextIO, cast

from txlb.cli._command import OK, Command

if TYPE_CHECKING:
    from argcomplete.completers import BaseCompleter

#: The variable of the environment by which a shell's script asks for words.
ASKING = "_ARGCOMPLETE"

_HINTS = {
    "bash": 'eval "$(txlb completion bash)"',
    "zsh": 'eval "$(txlb completion zsh)"',
    "fish": "txlb completion fish | source",
}


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", choices=tuple(_HINTS), help="the shell")


def _run(arguments: argparse.Namespace) -> int:
    from argcomplete.shell_integration import shellcode  # noqa: PLC0415 - no other command has a use for it

    # Without the shell's own defaults: those would complete a weight by names of files.
    print(shellcode(["txlb"], use_defaults=False, shell=arguments.shell))
    return OK


COMPLETION = Command(
    "completion",
    "print what a shell needs to complete this command",
    "Prints a script for a shell. Let the shell read it when it starts: "
    + "; ".join(f"in {shell}, {hint}" for shell, hint in _HINTS.items())
    + ".",
    _configure,
    _run,
)


def complete(parser: argparse.ArgumentParser, output: TextIO | None = None) -> int:
    """
    Answer a shell's script.

    @param parser: of the whole command line.
    @param output: where the words go; by default the descriptor that the script reads.
    @return: the exit status.
    """
    import argcomplete  # noqa: PLC0415 - only if Tab asks

    from txlb.cli._completers import wordsOf  # noqa: PLC0415  (as above)

    statuses: list[int] = []
    argcomplete.autocomplete(
        parser,
        always_complete_options=False,
        exit_method=statuses.append if output is not None else os._exit,
        output_stream=output,
        default_completer=cast("BaseCompleter", wordsOf),
    )
    return max(statuses, default=OK)
