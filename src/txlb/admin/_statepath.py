"""
The path of the state directory. The C{txlb} command uses it too, and starts without Twisted,
so that nothing here imports it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

#: The state directory of a service of the machine.
SYSTEM_DIRECTORY = "/var/lib/txlb"


def statePath(path: str | None = None, environ: Mapping[str, str] | None = None) -> str:
    """
    Return the path of the directory that L{stateDirectory} finds or makes. Here it is not
    looked at.

    @return: its absolute path.
    """
    return os.path.abspath(path or _default(os.environ if environ is None else environ))


def demoSocket(state: str, number: int = 1) -> str:
    """
    Return the path of the control socket of a demo.

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
