"""
Walks through the code: the files of C{src/txlb} that a call enters.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import FrameType
from typing import Any, Self

import txlb

#: The folder of the package.
SOURCE = Path(txlb.__file__).resolve().parent


class Walk:
    """
    The files of the package whose functions are called within a C{with} statement, in this
    thread. Names of files are below C{src/txlb}.

    @ivar steps: a file for each change of file, in their order: if functions of one file
        call each other the file is there once.
    """

    def __init__(self) -> None:
        self.steps: list[str] = []
        self._before: Any = None

    def __enter__(self) -> Self:
        self._before = sys.getprofile()
        sys.setprofile(self._called)
        return self

    def __exit__(self, *_raised: object) -> None:
        sys.setprofile(self._before)

    def _called(self, frame: FrameType, event: str, _argument: object) -> None:
        if event != "call":
            return
        path = Path(frame.f_code.co_filename)
        # A body of a module or class runs once for the process, and is no step.
        if frame.f_code.co_name == "<module>" or not path.is_relative_to(SOURCE):
            return
        name = path.relative_to(SOURCE).as_posix()
        if not self.steps or self.steps[-1] != name:
            self.steps.append(name)

    @property
    def files(self) -> tuple[str, ...]:
        """
        The files, each once, in the order in which they were entered.
        """
        return tuple(dict.fromkeys(self.steps))
