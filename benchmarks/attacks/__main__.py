"""
C{python -m benchmarks.attacks}: see the package.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks import machine
from benchmarks.attacks._attacks import AGAIN, ATTACKS, FIRST, Attack
from benchmarks.attacks._balancer import Balancer, canLogIn, startBalancer
from benchmarks.attacks._table import Found, table
from benchmarks.peers import Field
from benchmarks.programs import ROOT, ProgramError, python

#: Seconds that an attack has before it is measured beside.
BEFORE = 1.0

#: Times that an administrator tries to log in beside each attack, in each round.
LOGINS = 2


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.attacks",
        description="Measure how long requests through a balancer take while it is attacked. "
        "Everything is on loopback.",
    )
    names = [attack.name for attack in ATTACKS]
    parser.add_argument(
        "--only", action="append", choices=names, metavar="ATTACK", help=", ".join(names)
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each attack in a round")
    parser.add_argument(
        "--source",
        type=Path,
        default=ROOT / "src",
        help="the folder with the code of the balancer (default: %(default)s)",
    )
    return parser.parse_args(arguments)


class Run:
    """
    One run.
    """

    def __init__(self, options: argparse.Namespace, folder: Path) -> None:
        self._options = options
        self._folder = folder
        self._field = Field(folder)

    def run(self) -> dict[Attack, Found]:
        """
        Measure beside all attacks by turns.

        @raise ProgramError: the balancer does not start, or ends.
        """
        only = self._options.only
        chosen = [each for each in ATTACKS if only is None or each.name in only]
        attacks = (FIRST, *chosen, AGAIN)
        results = {attack: Found() for attack in attacks}
        with machine.startingOn(machine.OTHER_CORE), self._field as field:
            backend = field.backend()
            balancer = startBalancer(self._folder, backend, self._options.source)
            try:
                for number in range(self._options.rounds):
                    for attack in attacks:
                        print(f"round {number + 1}: {attack.text}", file=sys.stderr, flush=True)
                        self._measure(balancer, attack, results[attack])
            finally:
                balancer.running.stop()
        return results

    def _measure(self, balancer: Balancer, attack: Attack, found: Found) -> None:
        events = self._field.events
        with self._attacked(balancer, attack, found):
            events.runFor(BEFORE)
            host, port = balancer.running.address
            seconds = self._options.seconds
            command = python("-m", "benchmarks.attacks.latency", host, str(port), str(seconds))
            told = self._runToEnd(command, 3 * seconds + 30)
            for name, into in (("kept", found.kept), ("fresh", found.fresh)):
                into.append(told[name])
            for _ in range(LOGINS if canLogIn() else 0):
                found.logins.append(balancer.login())
        program = balancer.running.program
        if program is None or program.process.poll() is not None:
            raise ProgramError(f"the balancer has ended, beside: {attack.text}")
        events.runFor(BEFORE)
        events.trouble.take()

    @contextlib.contextmanager
    def _attacked(self, balancer: Balancer, attack: Attack, found: Found) -> Iterator[None]:
        """
        Inside it is attacked.
        """
        if attack.command is None:
            yield
            return
        command = python("-m", "benchmarks.attacks.attacker", *attack.command(balancer))
        began = time.monotonic()
        with _started(command) as process:
            try:
                yield
            finally:
                process.send_signal(signal.SIGTERM)
                output, errors = process.communicate(timeout=10)
        found.seconds += time.monotonic() - began
        try:
            counts = json.loads(output)
        except ValueError:
            raise ProgramError(f"the attacker failed: {errors[-2000:].decode()}") from None
        for what, count in counts.items():
            found.counts[what] += count

    def _runToEnd(self, command: list[str], patience: float) -> Any:
        with _started(command) as process:
            self._field.events.runFor(self._options.seconds)
            until = time.monotonic() + patience
            chunks: list[bytes] = []
            assert process.stdout is not None
            os.set_blocking(process.stdout.fileno(), False)
            while time.monotonic() < until:
                self._field.events.turn()
                data = process.stdout.read(1 << 20)
                if data:
                    chunks.append(data)
                elif data == b"":
                    break
        return json.loads(b"".join(chunks))


@contextlib.contextmanager
def _started(command: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    """
    Run a program, and kill it at the end of the run at the latest.
    """
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])}
    process = subprocess.Popen(
        command,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()


def main(arguments: list[str]) -> int:
    """
    Run, and print a table.

    @return: the exit status: 0 if all could be measured.
    """
    options = _options(arguments)
    machine.raiseDescriptorLimit()
    with tempfile.TemporaryDirectory(prefix="txlb-bench") as name:
        try:
            results = Run(options, Path(name)).run()
        except ProgramError as error:
            print(error, file=sys.stderr)
            return 1
    described = machine.describe()
    print(f"{described['processor']}, {described['cores']} cores, {described['kernel']}")
    print("milliseconds: the median of the rounds (the least to the most)")
    print(table(results))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
