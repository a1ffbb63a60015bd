"""
Errors of an application's start, told in one line.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from traceback import extract_tb
from typing import Any

from txlb.errors import TxlbError

#: What twistd says of an application that it can't load, after a traceback; and what it says of
#: one whose file makes no application.
_TWISTDS = "Failed to load application: "
_NO_APPLICATION = "Could not find 'application' in the file."

_NEEDED = "the file makes no 'application', which twistd needs"

#: The beginning of a traceback, the places in it, and the error after them. A SyntaxError has
#: its own place without the name of a function.
_TRACEBACK = "Traceback (most recent call last):\n"
_PLACE = re.compile(r'^ *File "(.*)", line (\d+)(?:, in .*)?$', re.MULTILINE)
_ERROR = re.compile(r"^(?:\w+\.)*(\w+)(?:$|: )")
_SYNTAX_ERRORS = ("SyntaxError", "IndentationError", "TabError")

#: Bytes of a process's last errors that are read, and characters of them that are told.
MOST_READ = 65536
MOST_SAID = 500

#: A file and the number of a line in it.
Place = tuple[str, int]


def errorLine(problem: BaseException | None) -> str:
    """
    Tell an error of an application's file in one line: the place in that file, the error, and
    the place where it was raised if that is another one.
    """
    told = " ".join(str(problem).split()).rstrip(".")
    if not isinstance(problem, TxlbError):
        told = f"{type(problem).__name__}: {told}" if told else type(problem).__name__
    found = [] if problem is None else extract_tb(problem.__traceback__)
    places = [(each.filename, each.lineno or 0) for each in found]
    if isinstance(problem, KeyError) and problem.args == ("application",) and not _ownPlace(places):
        return _NEEDED
    if isinstance(problem, (TxlbError, SyntaxError)):
        # A SyntaxError says itself where it is, and an error of txlb comes from here.
        places = [each for each in places if each == _ownPlace(places)]
    return _line(told, places)


def _line(told: str, places: Sequence[Place]) -> str:
    own = _ownPlace(places)
    if own is None:
        return told
    path, number = own
    inside = "" if places[-1] == own else " ({}, line {})".format(*places[-1])
    return f"{path}, line {number}: {told}{inside}"


def _ownPlace(places: Sequence[Place]) -> Place | None:
    """
    Find the first place that is the application's: C{twistd}, Twisted and Python call it.
    """
    kinds = [_packageOf(path) for path, _ in places]
    # The program, which calls Twisted, has no name of a package either.
    first = next((index for index, kind in enumerate(kinds) if kind in _CALLERS), 0)
    return next(
        (each for each, kind in zip(places[first:], kinds[first:], strict=True) if not kind), None
    )


_CALLERS = ("twisted", "txlb")


def _packageOf(path: str) -> str:
    """
    Name the package of Twisted, txlb or Python that a file is of; empty for the application's.
    """
    for package in _CALLERS:
        module: Any = sys.modules.get(package)
        roots = [] if module is None else list(module.__path__)
        if any(path.startswith(f"{root}{os.sep}") for root in roots):
            return package
    return "python" if path.startswith("<") else ""


def lastWords(text: str) -> str:
    """
    Find what a process said last, in one line: of a traceback, the error and its place.

    @param text: the end of its standard error.
    """
    if _NO_APPLICATION in text:
        return _NEEDED
    lines = [" ".join(line.split()) for line in text.splitlines() if line.strip()]
    if not lines:
        return ""
    said = _ofTraceback(text) or lines[-1].removeprefix(_TWISTDS).removeprefix("txlb: ")
    return said[:MOST_SAID]


def _ofTraceback(text: str) -> str:
    """
    Tell the error of the traceback that a text ends with; nothing if it ends with none.
    """
    _, found, last = text.rpartition(_TRACEBACK)
    body, _, rest = last.partition("\n\n")
    if not found or (rest.strip() and not rest.strip().startswith(_TWISTDS)):
        return ""
    lines = body.splitlines()
    begins = next((number for number, line in enumerate(lines) if line[:1].strip()), len(lines))
    told = " ".join(" ".join(lines[begins:]).split())
    kind = _ERROR.match(told)
    if kind is None:
        return ""
    told = told[kind.start(1) :].rstrip(".")
    places = [(path, int(number)) for path, number in _PLACE.findall("\n".join(lines[:begins]))]
    if kind[1] not in _SYNTAX_ERRORS:
        return _line(told, places)
    # The error names the place, or the last place of the traceback is its own.
    path, number = places[-1] if places else ("", 0)
    return told if ", line " in told or not path else f"{path}, line {number}: {told}"


def endOf(descriptor: int) -> str:
    """
    Read the end of a file to which a process has written its errors.
    """
    size = os.fstat(descriptor).st_size
    data = os.pread(descriptor, MOST_READ, max(0, size - MOST_READ))
    return data.decode("utf-8", "replace")
