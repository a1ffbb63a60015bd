"""
Completion of the values of arguments.

C{argcomplete} calls a completer with what is typed so far and with the command line that
is before it, and gets words, each with a description.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Iterator

from txlb.cli._client import Client, Row
from txlb.cli._command import Failed
from txlb.cli._where import findSocket

#: Seconds that a shell waits for the names that a balancer knows.
PATIENCE = 1.0

#: The attribute of an argument in which C{argcomplete} looks for its completer.
_COMPLETER = "completer"

#: Times that are offered if nothing is typed yet.
_TIMES = ("10s", "1m", "5m", "1h")

_UNITS = {"ms": "milliseconds", "s": "seconds", "m": "minutes", "h": "hours", "d": "days"}

#: The words that an argument may be, each with a description.
Words = dict[str, str]


def completeBy(action: argparse.Action, *kinds: str) -> None:
    """
    Let an argument be completed.

    @param kinds: see L{txlb.admin._arguments.Kind}; words of each of them are offered.
    """
    if any(kinds):
        setattr(action, _COMPLETER, Completer(kinds))


def completeSettings(action: argparse.Action, of: str) -> None:
    """
    Let an argument be completed by the names of settings.

    @param of: the thing that they are settings of, see L{txlb.admin._settings}.
    """
    setattr(action, _COMPLETER, SettingCompleter(of))


class Completer:
    """
    Completes an argument.

    @param kinds: the kinds of words that are offered.
    """

    def __init__(self, kinds: tuple[str, ...]) -> None:
        self.kinds = kinds

    def __call__(
        self, prefix: str, parsed_args: argparse.Namespace, **_more: object
    ) -> Words | list[str]:
        """
        Return the words that may be meant.

        @param prefix: what is typed so far.
        @param parsed_args: the command line before it.
        """
        if "file" in self.kinds:
            from argcomplete.completers import FilesCompleter  # noqa: PLC0415 - only if Tab asks

            return list(FilesCompleter()(prefix))
        if "time" in self.kinds:
            return dict(_times(prefix))
        if "scheduler" in self.kinds:
            return dict(_schedulers())
        if "check" in self.kinds:
            return dict(_checks())
        found = statusOf(parsed_args)
        return {word: what for kind in self.kinds for word, what in _NAMES[kind](found)}


class SettingCompleter:
    """
    Completes the name of a setting.

    @param of: the thing that it is a setting of, see L{txlb.admin._settings}.
    """

    def __init__(self, of: str) -> None:
        self.of = of

    def __call__(self, parsed_args: argparse.Namespace, **_more: object) -> Words:
        """
        Return the names that may be meant, each with an equals sign behind it.

        @param parsed_args: the command line before it, which may name a kind of check.
        """
        # They bring the model, and the kinds of checks.
        import txlb.health  # noqa: F401, PLC0415 - only if Tab asks for one
        from txlb.admin._settings import describedSettings  # noqa: PLC0415  (as above)

        check = str(getattr(parsed_args, "given_check", None) or "")
        return {f"{name}=": what for name, what in describedSettings(self.of, check)}


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


def _schedulers() -> Iterator[tuple[str, str]]:
    from txlb.schedulers import schedulerWords  # noqa: PLC0415 - only if Tab asks for one

    for word in schedulerWords():
        yield word, ""


def _checks() -> Iterator[tuple[str, str]]:
    # It brings the kinds of checks.
    import txlb.health  # noqa: F401, PLC0415 - only if Tab asks for one
    from txlb.model.registries import CHECKS  # noqa: PLC0415  (as above)

    for kind in CHECKS.kinds():
        yield kind.word, kind.doc.split(". ", maxsplit=1)[0]


def _times(prefix: str) -> Iterator[tuple[str, str]]:
    if re.fullmatch(r"[0-9]+([.][0-9]+)?", prefix):
        yield from ((f"{prefix}{unit}", name) for unit, name in _UNITS.items())
    elif not prefix:
        yield from ((each, "") for each in _TIMES)


_NAMES: dict[str, Callable[[list[Row]], Iterator[tuple[str, str]]]] = {
    "service": _services,
    "group": _groups,
    "host": _hosts,
    "listener": _listeners,
}
