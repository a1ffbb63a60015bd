"""
Completion of the values of arguments.

C{argcomplete} asks for the words that an argument may be, with what is typed so far and
with the command line that is before it. Each word has a description.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Iterator

from txlb.admin._arguments import ANSWERS
from txlb.cli._client import Client, Row
from txlb.cli._command import COMPLETES, SETTINGS_OF, Failed
from txlb.cli._where import findSocket

#: Seconds that a shell waits for the names that a balancer knows.
PATIENCE = 1.0

#: Times that are offered if nothing is typed yet.
_TIMES = ("10s", "1m", "5m", "1h")

_UNITS = {"ms": "milliseconds", "s": "seconds", "m": "minutes", "h": "hours", "d": "days"}

#: The words that an argument may be, each with a description.
Words = dict[str, str]


def wordsOf(
    prefix: str, action: argparse.Action, parsed_args: argparse.Namespace, **_more: object
) -> Words | list[str]:
    """
    Return the words that an argument may be.

    @param prefix: what is typed so far.
    @param action: the argument, with L{COMPLETES}. An argument without it is completed by
        nothing.
    @param parsed_args: the command line before it.
    """
    kinds: tuple[str, ...] = tuple(filter(None, getattr(action, COMPLETES, ())))
    if not kinds:
        return []
    (kind, *_) = kinds
    if kind.startswith(SETTINGS_OF):
        return _settings(kind.removeprefix(SETTINGS_OF), parsed_args)
    if kind == "file":
        from argcomplete.completers import FilesCompleter  # noqa: PLC0415 - only if Tab asks

        return list(FilesCompleter()(prefix))
    if kind in _WORDS:
        return dict(_WORDS[kind](prefix))
    found = statusOf(parsed_args)
    return {word: what for each in kinds for word, what in _NAMES[each](found)}


def _settings(of: str, arguments: argparse.Namespace) -> Words:
    """
    Return the names of settings, each with an equals sign behind it.

    @param of: the thing that they are settings of, see L{txlb.admin._settings}.
    @param arguments: the command line, which may name a kind of check.
    """
    # They bring the model, and the kinds of checks.
    import txlb.health  # noqa: F401, PLC0415 - only if Tab asks for one
    from txlb.admin._settings import describedSettings  # noqa: PLC0415  (as above)

    check = str(getattr(arguments, "given_check", None) or "")
    return {f"{name}=": what for name, what in describedSettings(of, check)}


def statusOf(arguments: argparse.Namespace) -> list[Row]:
    """
    Return the rows of the balancer's status; none if there is no balancer.

    @param arguments: may say where its socket is.
    """
    where = argparse.Namespace(
        socket=getattr(arguments, "socket", None), config=getattr(arguments, "config", None)
    )
    try:
        with Client(findSocket(where), PATIENCE) as client:
            return client.rows("Status")
    except Failed:
        return []


def _services(rows: list[Row]) -> Iterator[tuple[str, str]]:
    for row in rows:
        if row.get("row") == "service":
            yield str(row["name"]), ", ".join(map(str, row["addresses"]))


def _groups(rows: list[Row]) -> Iterator[tuple[str, str]]:
    for row in rows:
        if row.get("row") == "group":
            yield f"{row['service']}/{row['name']}", str(row["scheduler"])


def _hosts(rows: list[Row]) -> Iterator[tuple[str, str]]:
    for row in rows:
        if row.get("row") == "host":
            name = f"{row['service']}/{row['group']}/{row['name']}"
            yield name, f"{row['address']} {row['state']}"


def _listeners(rows: list[Row]) -> Iterator[tuple[str, str]]:
    for row in rows:
        if row.get("row") == "listener":
            yield str(row["name"]), ", ".join(map(str, row["addresses"]))


def _schedulers(_prefix: str) -> Iterator[tuple[str, str]]:
    from txlb.schedulers import schedulerWords  # noqa: PLC0415 - only if Tab asks for one

    for word in schedulerWords():
        yield word, ""


def _checks(_prefix: str) -> Iterator[tuple[str, str]]:
    # It brings the kinds of checks.
    import txlb.health  # noqa: F401, PLC0415 - only if Tab asks for one
    from txlb.model.registries import CHECKS  # noqa: PLC0415  (as above)

    for kind in CHECKS.kinds():
        yield kind.word, kind.doc.split(". ", maxsplit=1)[0]


def _answers(_prefix: str) -> Iterator[tuple[str, str]]:
    yield from ((word, "") for word in ANSWERS)


def _times(prefix: str) -> Iterator[tuple[str, str]]:
    if re.fullmatch(r"[0-9]+([.][0-9]+)?", prefix):
        yield from ((f"{prefix}{unit}", name) for unit, name in _UNITS.items())
    elif not prefix:
        yield from ((each, "") for each in _TIMES)


#: The words of kinds for which no balancer is asked, after what is typed so far.
_WORDS: dict[str, Callable[[str], Iterator[tuple[str, str]]]] = {
    "time": _times,
    "scheduler": _schedulers,
    "check": _checks,
    "answer": _answers,
}

#: The names of things, in the rows of a status.
_NAMES: dict[str, Callable[[list[Row]], Iterator[tuple[str, str]]]] = {
    "service": _services,
    "group": _groups,
    "host": _hosts,
    "listener": _listeners,
}
