"""
wrk, a client that measures latencies.
"""

from __future__ import annotations

import re
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.peers import installed
from benchmarks.programs import PATIENCE, ProgramError

#: Seconds of each unit in wrk's output.
UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0}

#: Seconds after which wrk counts an answer as missing, and the longest run.
TIMEOUT = 30
LONGEST = 24 * 3600

_RATE = re.compile(r"^Requests/sec:\s+([\d.]+)$", re.MULTILINE)
_TOTAL = re.compile(r"^\s+(\d+) requests in ", re.MULTILINE)
_PART = re.compile(r"^\s+(50|99)%\s+([\d.]+)(us|ms|s|m)$", re.MULTILINE)
_SOCKETS = re.compile(
    r"^\s+Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)$", re.MULTILINE
)
_STATUS = re.compile(r"^\s+Non-2xx or 3xx responses: (\d+)$", re.MULTILINE)


@dataclass(frozen=True)
class Measured:
    """
    A run of wrk.

    @ivar requests: how many were answered.
    @ivar rate: of them a second.
    @ivar median: the median latency in seconds.
    @ivar late: its 99th percentile.
    @ivar errors: failed connections, missing and wrong answers.
    """

    requests: int
    rate: float
    median: float
    late: float
    errors: int


def parse(output: str) -> Measured:
    """
    Read what C{wrk --latency} has written.

    @raise ProgramError: it is something else.
    """
    rate, total = _RATE.search(output), _TOTAL.search(output)
    parts = {part: float(number) * UNITS[unit] for part, number, unit in _PART.findall(output)}
    if rate is None or total is None or len(parts) != 2:
        raise ProgramError(f"wrk says:\n{output}")
    errors = [int(number) for found in _SOCKETS.findall(output) for number in found]
    errors += [int(number) for number in _STATUS.findall(output)]
    return Measured(int(total[1]), float(rate[1]), parts["50"], parts["99"], sum(errors))


class Wrk:
    """
    A run of wrk, until L{stop}.

    @param seconds: how long it runs at most.
    @param headers: lines of the requests.
    @raise ProgramError: wrk is not installed.
    """

    def __init__(
        self,
        address: tuple[str, int],
        connections: int,
        seconds: int = LONGEST,
        headers: Sequence[str] = (),
    ) -> None:
        program = installed("wrk")
        if program is None:
            raise ProgramError("wrk is not installed")
        self._process = subprocess.Popen(
            [
                *(program, "--latency", "--threads", "1", "--connections", str(connections)),
                *("--duration", f"{seconds}s", "--timeout", f"{TIMEOUT}s"),
                *(word for header in headers for word in ("--header", header)),
                f"http://{address[0]}:{address[1]}/",
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._seconds = seconds

    def wait(self) -> Measured:
        """
        Wait until it has ended.

        @raise ProgramError: it has failed.
        """
        try:
            output, _ = self._process.communicate(timeout=self._seconds + PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            output, _ = self._process.communicate()
        return parse(output)

    def stop(self) -> Measured:
        """
        End it now.

        @raise ProgramError: it has failed.
        """
        self._process.send_signal(signal.SIGINT)
        self._seconds = 0
        return self.wait()

    def kill(self) -> None:
        """
        End it if it runs, and forget its figures.
        """
        if self._process.poll() is None:
            self._process.kill()
        self._process.communicate()
