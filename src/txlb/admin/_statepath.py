"""
Where the state directory is. The C{txlb} command looks there too, and does without
Twisted, so that nothing here imports it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

#: Where a service of the machine keeps its state.
SYSTEM_DIRECTORY = "/var/lib/txlb"


def statePath(path: str | None = None, environ: Mapping[str, str] | None = None) -> str:
    """
    Say where L{stateDirectory} finds the directory, without looking whether it is
    there.

    @return: its absolute path.
    """
    return os.path.abspath(path or _default(os.environ if environ is None else environ))


def demoSocket(state: str, number: int = 1) -> str:
    """
    Say where the control socket of a demo is.

    @param state: the state directory.
    @param number: which of the demos that run at once, from 1.
    """
    name = "control" if number == 1 else f"control-{number}"
    return os.path.join(state, "demo", name)


def _default(environ: Mapping[str, str]) -> str:
    given = environ.get("STATE_DIRECTORY", "").split(":")[0]
    if given:
        return given
    if os.geteuid() == 0:
        return SYSTEM_DIRECTORY
    # The XDG Base Directory Specification: a relative path is to be ignored.
    state = environ.get("XDG_STATE_HOME", "")
    if not os.path.isabs(state):
        state = os.path.join(environ.get("HOME") or os.path.expanduser("~"), ".local", "state")
    return os.path.join(state, "txlb")
