"""
Moments without the collector of the interpreter.
"""

from __future__ import annotations

import gc


class WithoutCollector:
    """
    A context in which the collector of the interpreter does not run.
    """

    def __enter__(self) -> None:
        self._was = gc.isenabled()
        gc.disable()

    def __exit__(self, *_: object) -> None:
        if self._was:
            gc.enable()
