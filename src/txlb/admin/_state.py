"""
The directory for what txlb keeps from one run to the next.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from txlb.admin._trust import ownershipProblem, pathProblem
from txlb.errors import StateDirectoryError
from txlb.process import Folder, UntrustedPath, ownFolderRemedy

#: Where a service of the machine keeps its state.
SYSTEM_DIRECTORY = "/var/lib/txlb"

#: The remedy that there always is.
ANOTHER = "name a folder that is txlb's own with --state-directory or in $STATE_DIRECTORY"


def stateDirectory(path: str | None = None, environ: Mapping[str, str] | None = None) -> str:
    """
    Find the state directory, and make it (mode 0700) where it is not there yet.

    It is the first of: C{path}; the first entry of C{$STATE_DIRECTORY}, which
    systemd sets; for root C{/var/lib/txlb}; C{$XDG_STATE_HOME/txlb};
    C{~/.local/state/txlb}.

    @param environ: the environment; by default this process's.
    @return: its absolute path.
    @raise StateDirectoryError: it can't be made, is no directory, belongs to
        another user, or others can write to it or to a folder above it.
    """
    found = statePath(path, environ)
    try:
        with Folder.at(found, make=0o700) as folder:
            status = os.fstat(folder.descriptor)
        above = pathProblem(found)
    except UntrustedPath as error:
        raise StateDirectoryError(
            f"the state directory {found} can't be used: {error}; {ANOTHER}"
        ) from error
    except OSError as error:
        raise StateDirectoryError(
            f"the state directory {found} can't be used: {error.strerror}; make it, or {ANOTHER}"
        ) from error
    problem = ownershipProblem(status)
    if problem:
        remedy = ownFolderRemedy(found, status)
        more = f", or change that with: {remedy}" if remedy else ""
        raise StateDirectoryError(f"the state directory {found} {problem}; {ANOTHER}{more}")
    if above:
        raise StateDirectoryError(f"the state directory {found} is not used: {above}")
    return found


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
