"""
C{txlb completion}: what a shell needs to complete C{txlb}'s command lines.

The scripts are short: they ask C{txlb __complete} for the words that may stand where
the cursor is, and that asks the parser, and for names a balancer that runs. So what is
completed is what is understood.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Callable, Iterator, Sequence

from txlb.cli._client import Client
from txlb.cli._command import OK, Command, Failed
from txlb.cli._duration import TIME, completedDurations
from txlb.cli._where import findSocket

#: The word for which a shell is answered. It is not in the help.
COMPLETE = "__complete"

#: Seconds that a shell waits for names.
PATIENCE = 1.0

#: What a shell does by itself where it is told this: complete a file's name.
FILES = "\x00files"

_BASH = """\
_txlb() {
    local IFS=$'\\n' current=${COMP_WORDS[COMP_CWORD]} words
    words=$(txlb __complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null) || return
    if [[ $words == :files ]]; then
        compopt -o filenames
        COMPREPLY=($(compgen -f -- "$current"))
    else
        # Not by compgen -W, which would run what stands in a name.
        mapfile -t COMPREPLY < <(cut -f 1 <<<"$words")
    fi
}
complete -F _txlb txlb
"""

_ZSH = """\
#compdef txlb
_txlb() {
    local -a lines found
    local line
    lines=("${(@f)$(txlb __complete "${(@)words[2,CURRENT]}" 2>/dev/null)}") || return
    if [[ $lines[1] == :files ]]; then
        _files
        return
    fi
    for line in $lines; do
        found+=("${${line%%$'\\t'*}//:/\\\\:}:${line#*$'\\t'}")
    done
    _describe -t words 'txlb' found
}
if [[ $funcstack[1] == _txlb ]]; then
    _txlb "$@"
else
    compdef _txlb txlb
fi
"""

_FISH = """\
function __txlb_complete
    set -l words (commandline -opc) (commandline -ct)
    set -l lines (txlb __complete $words[2..] 2>/dev/null)
    if test "$lines[1]" = :files
        __fish_complete_path (commandline -ct)
    else
        printf '%s\\n' $lines
    end
end
complete -c txlb -f -a '(__txlb_complete)'
"""

#: Gets the rows of the balancer's status.
Rows = Callable[[], list[dict[str, object]]]

SCRIPTS = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}

_HINTS = {
    "bash": 'eval "$(txlb completion bash)"',
    "zsh": 'eval "$(txlb completion zsh)"',
    "fish": "txlb completion fish | source",
}


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", choices=tuple(SCRIPTS), help="the shell")


def _run(arguments: argparse.Namespace) -> int:
    print(SCRIPTS[arguments.shell], end="")
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


def complete(parser: argparse.ArgumentParser, words: Sequence[str]) -> Iterator[str]:
    """
    The words that may stand where the last one is being typed.

    @param parser: of the whole command.
    @param words: those behind C{txlb}, the last one as far as it is typed.
    @return: a line for each: the word, and behind a tab what it is; C{:files} alone
        where it is the name of a file.
    """
    before, current = list(words[:-1]), words[-1] if words else ""
    commands = _commandsOf(parser)
    if not before:
        yield from _matching(_described(commands), current)
        yield from _matching(_options(parser), current)
        return
    inner = commands.choices.get(before[0])
    if inner is None:
        return
    action, places = _read(inner, before[1:])
    if current.startswith("-") and action is None:
        yield from _matching(_options(inner), current)
        return
    if action is None:
        action = places[0] if places else None
    if action is None:
        return
    yield from _matching(_values(action, before[1:], current), current)


def _read(
    parser: argparse.ArgumentParser, words: Sequence[str]
) -> tuple[argparse.Action | None, list[argparse.Action]]:
    """
    What words have said.

    @return: the option whose value comes next, if one does, and the arguments whose
        place is still free.
    """
    options = {name: each for each in parser._actions for name in each.option_strings}  # noqa: SLF001
    places = [each for each in parser._actions if not each.option_strings]  # noqa: SLF001
    waiting: argparse.Action | None = None
    for word in words:
        if waiting is not None:
            waiting = None
        elif word in options:
            waiting = options[word] if options[word].nargs != 0 else None
        elif not word.startswith("-") and places and places[0].nargs != "+":
            places.pop(0)
    return waiting, places


def _commandsOf(
    parser: argparse.ArgumentParser,
) -> argparse._SubParsersAction[argparse.ArgumentParser]:
    for each in parser._actions:  # noqa: SLF001 - argparse has no other way to ask
        if isinstance(each, argparse._SubParsersAction):  # noqa: SLF001
            return each
    raise AssertionError("the command has subcommands")


def _described(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
) -> Iterator[tuple[str, str]]:
    for each in commands._choices_actions:  # noqa: SLF001
        yield each.dest, each.help or ""


def _options(parser: argparse.ArgumentParser) -> Iterator[tuple[str, str]]:
    for each in parser._actions:  # noqa: SLF001
        for name in each.option_strings:
            if name.startswith("--"):
                yield name, (each.help or "").split(";")[0]


def _values(
    action: argparse.Action, words: Sequence[str], current: str
) -> Iterator[tuple[str, str]]:
    """
    What an argument may be.
    """
    if action.choices is not None:
        yield from ((str(choice), "") for choice in action.choices)
    elif action.metavar in {"FILE", "PATH"}:
        yield FILES, ""
    elif action.metavar == TIME:
        yield from completedDurations(current)
    elif action.metavar in _NAMES:
        yield from _NAMES[str(action.metavar)](lambda: _names(words))


def _names(words: Sequence[str]) -> list[dict[str, object]]:
    """
    The rows of the balancer's status; none where there is no balancer.
    """
    where = argparse.Namespace(socket=None, config=None)
    for option, value in itertools.pairwise(words):
        if option in {"-s", "--socket"}:
            where.socket = value
        elif option in {"-c", "--config"}:
            where.config = value
    try:
        with Client(findSocket(where), PATIENCE) as client:
            return client.rows("Status")
    except Failed:
        return []


def _hosts(rows: Rows) -> Iterator[tuple[str, str]]:
    for row in rows():
        if row.get("row") == "host":
            yield (
                f"{row['service']}/{row['group']}/{row['name']}",
                f"{row['address']} {row['state']}",
            )


def _groups(rows: Rows) -> Iterator[tuple[str, str]]:
    for row in rows():
        if row.get("row") == "group":
            yield f"{row['service']}/{row['name']}", str(row["scheduler"])


def _listeners(rows: Rows) -> Iterator[tuple[str, str]]:
    for row in rows():
        if row.get("row") == "listener":
            yield str(row["name"]), ""


def _schedulers(_rows: Rows) -> Iterator[tuple[str, str]]:
    from txlb.schedulers import schedulerWords  # noqa: PLC0415 - wanted seldom

    for word in schedulerWords():
        yield word, ""


_NAMES: dict[str, Callable[[Rows], Iterator[tuple[str, str]]]] = {
    "SERVICE/GROUP/HOST": _hosts,
    "SERVICE/GROUP": _groups,
    "LISTENER": _listeners,
    "SCHEDULER": _schedulers,
}


def _matching(found: Iterator[tuple[str, str]], current: str) -> Iterator[str]:
    for word, what in found:
        if word == FILES:
            yield ":files"
        elif word.startswith(current):
            yield f"{word}\t{what}"
