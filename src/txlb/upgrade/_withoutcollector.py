"""
A time without the collector of the interpreter.
"""

from __future__ import annotations

import gc

#: Permanent objects, up to which none are an application's: Python 3.12 has some 400 of its own.
FEW = 1_000


def anyPermanent() -> bool:
    """
    Say whether objects of the application are permanent.
    """
    return gc.get_freeze_count() > FEW


class WithoutCollector:
    """
    A time in which the collector of the interpreter does not run. At its end the new objects count
    as old ones, without a look at them: with those of 10,000 connections that would take 100 ms.
    """

    def __init__(self) -> None:
        self._collected = False

    def begin(self) -> None:
        """
        Let it rest.
        """
        self._collected = gc.isenabled()
        gc.disable()

    def end(self) -> None:
        """
        Let it run again, if it has run before.
        """
        if not anyPermanent():
            # All objects go to the permanent generation, and from there to the oldest.
            gc.freeze()
            gc.unfreeze()
        if self._collected:
            gc.enable()
