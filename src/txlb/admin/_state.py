"""
The directory for data that txlb keeps from one run to the next.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from txlb.admin._statepath import statePath
from txlb.admin._trust import ownershipProblem, pathProblem
from txlb.errors import StateDirectoryError

#: The remedy that is always possible.
ANOTHER = "name a folder that is txlb's own with --state-directory or in $STATE_DIRECTORY"


def stateDirectory(path: str | None = None, environ: Mapping[str, str] | None = None) -> str:
    """
    Find the state directory, and make it (mode 0700) if there is none yet.

    It is the first of: C{path}; the first entry of C{$STATE_DIRECTORY}, which
    systemd sets; for root C{/var/lib/txlb}; C{$XDG_STATE_HOME/txlb};
    C{~/.local/state/txlb}.

    @param environ: the environment; by default this process's.
    @return: its absolute path.
    @raise StateDirectoryError: it can't be made, is no directory, belongs to
        another user, or others can write to it or to a folder above it.
    """
    # The command line uses this module too, and starts without Twisted.
    from txlb.process import Folder, UntrustedPath, ownFolderRemedy  # noqa: PLC0415 - see above

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
