"""
The first process of a container: it starts the application, waits for all processes that end,
and passes signals on. It runs as a program of its own, and imports no other package.
"""

import contextlib
import os
import signal
import sys

#: The signals that it passes on.
PASSED = (
    signal.SIGTERM,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGHUP,
    signal.SIGUSR1,
    signal.SIGUSR2,
)


def main(command: list[str]) -> int:
    """
    Run the application until its last process has ended.

    A manager that dies leaves the other processes to this one, and one of them manages then;
    so a signal goes to all children, of which only the manager starts a rolling restart.

    @param command: the program and its arguments.
    @return: the exit status of the process that ended last.
    """
    waited = {*PASSED, signal.SIGCHLD}
    signal.pthread_sigmask(signal.SIG_BLOCK, waited)
    os.posix_spawn(command[0], command, os.environ, setsigmask=())
    status = 0
    while True:
        number = signal.sigwait(waited)
        if number != signal.SIGCHLD:
            for pid in children():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)
            continue
        try:
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                status = ended[1]
        except ChildProcessError:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code


def children() -> list[int]:
    """
    Find the children of this process, those that it has inherited included.
    """
    own = str(os.getpid())
    found = []
    for name in os.listdir("/proc"):
        if name.isdecimal():
            with contextlib.suppress(OSError), open(f"/proc/{name}/stat", encoding="ascii") as file:
                # The name of the program may have blanks and brackets.
                if file.read().rpartition(")")[2].split()[1] == own:
                    found.append(int(name))
    return found


def become(command: list[str]) -> None:
    """
    Replace this process by one that runs this module.

    @param command: what it starts.
    """
    # It is the command of this process itself.
    os.execv(sys.executable, [sys.executable, "-S", __file__, *command])  # noqa: S606 - no shell


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
