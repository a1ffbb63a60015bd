"""
Many upgrades in a row under load, and kills at random moments: C{python -m benchmarks.upgrades}.

Downloads, uploads, idle and new connections go through one service, each byte of which is checked.
C{wrk} goes through another one. Between two upgrades the file is loaded again, or a host is drained
and comes back. At the end the clients leave, and the process is compared with the one after the
first upgrade.

With C{--kill NUMBER} either process is killed in so many upgrades, at random moments, see
C{upgradekills.py}. With C{--faults NUMBER} each fault of C{upgradefaults.py} happens so often.

The exit status is 1 if anything was wrong.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from benchmarks.programs import freePort
from benchmarks.upgrade import (
    HERE,
    ROOT,
    Balancer,
    descriptors,
    host,
    isGone,
    proportional,
    until,
    words,
)
from benchmarks.upgradefaults import allFaults
from benchmarks.upgradekills import Kills

#: Clients of each kind, and new ones a second besides.
CLIENTS = {"downloads": 32, "uploads": 32, "idle": 300}
RATE = 300

#: Connections of wrk.
WRK = 16

#: Upgrades in which the last connections have to end.
TRIES = 3

CONFIG = """<config><service name="web" relay="fast"><listen ip="{here}:{port}"/>
<group name="g" enable="yes"><host name="a" ip="{here}:{host}"/>
<host name="b" ip="{here}:{host}" weight="{weight}"/></group></service>
<service name="http"><listen ip="{here}:{http}"/>
<group name="g" enable="yes"><host name="h" ip="{here}:{httpHost}"/></group></service>
<control socket="{folder}/control"/></config>
"""
NGINX = """worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log; daemon off;
events {{ worker_connections 1000; }}
http {{ access_log off; keepalive_requests 1000000; server {{ listen {here}:{port};
location / {{ return 200 "hello"; }} }} }}
"""


class Run:
    """
    One run.

    @ivar wrong: what was wrong.
    """

    def __init__(self, folder: Path, hostPort: int, rate: int = RATE) -> None:
        self._rate = rate
        self.wrong: list[str] = []
        self._folder = folder
        self._hostPort = hostPort
        self.httpHost, self.http = freePort(), freePort()
        self.balancer = Balancer(folder / "txlb", hostPort)
        self._configure(1)
        # Its answer comes when that is done: meanwhile there is no upgrade.
        self.txlb("reload")

    def _configure(self, weight: int) -> None:
        text = CONFIG.format(
            here=HERE,
            port=self.balancer.port,
            host=self._hostPort,
            weight=weight,
            http=self.http,
            httpHost=self.httpHost,
            folder=self.balancer.folder,
        )
        (self.balancer.folder / "config.xml").write_text(text)

    def check(self, isRight: bool, what: str) -> None:
        """
        Note what is wrong.
        """
        if not isRight:
            self.wrong.append(what)
            print(f"  wrong: {what}", flush=True)

    def txlb(self, *command: str) -> None:
        """
        Run a command.
        """
        done = subprocess.run(
            [sys.executable, "-m", "txlb", *command, "-s", f"{self.balancer.folder}/control"],
            env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"},
            capture_output=True,
            text=True,
            check=False,
        )
        self.check(done.returncode == 0, f"{command}: {done.stderr}")

    def upgrade(self) -> float:
        """
        Upgrade once.

        @return: the seconds until the process before was gone.
        """
        before, began = self.balancer.pid, time.monotonic()
        os.kill(before, signal.SIGUSR2)
        until(partial(isGone, before), "the process before ends")
        took = time.monotonic() - began
        until(partial(self.balancer.hasOtherThan, before), "the pid file")
        until((self.balancer.folder / "control").exists, "the control socket")
        return took

    def between(self, number: int) -> None:
        """
        Change something between two upgrades.
        """
        self._configure(1 + number % 3)
        if number % 2:
            self.txlb("drain", "web/g/b")
            self.txlb("ready", "web/g/b")
        else:
            self.txlb("reload")

    def facts(self) -> tuple[float, int]:
        """
        Return memory and descriptors of the process.
        """
        return proportional(self.balancer.pid), descriptors(self.balancer.pid)

    def inARow(self, upgrades: int) -> None:
        """
        Upgrade again and again under load.
        """
        first = self.upgrade(), self.facts()
        times: list[float] = []
        numbers = [f"{kind}={count}" for kind, count in CLIENTS.items()]
        with (
            self._wrk() as wrk,
            self._clients("tests.integration.stream_clients", *numbers) as clients,
            self._clients("benchmarks.newclients", str(self._rate)) as coming,
        ):
            for number in range(upgrades):
                times.append(self.upgrade())
                self.between(number)
                if not number % 10:
                    print(f"  {number + 1} upgrades, {self.facts()}", flush=True)
            came = json.loads(coming.communicate("")[0])
            seen = json.loads(clients.communicate("")[0])
            wrk.send_signal(signal.SIGINT)
            said = wrk.communicate()[0]
        for each in (seen, came):
            self.check(not each["wrong"], f"clients: {Counter(each['wrong']).most_common(5)}")
        self.check("Socket errors" not in said and "Non-2xx" not in said, said)
        # Pipes that the process keeps for bulk are its own; the next one begins without.
        before = self.facts()
        left = self.upgrade(), self.facts()
        for _ in range(TRIES):
            if left[1][1] > first[1][1] + 2:
                # The last connections may not have ended.
                left = self.upgrade(), self.facts()
        self.check(left[1][1] <= first[1][1] + 2, "descriptors grow")
        frozen = [float(each) / 1e3 for each in re.findall(r"for ([\d.]+) ms", self.balancer.log)]
        print(f"{upgrades} upgrades in a row; median / worst")
        print(f"  start to the end of the old one  {words(times)}")
        print(f"  nothing served                   {words(frozen)}")
        print(f"  longest silence of an idle one   {seen['longest'] * 1e3:.0f} ms")
        print(f"  rounds of clients                {seen['rounds']}")
        print(f"  new clients                      {came['clients']}, {came['rate']:.0f} a second;")
        print(f"                                   the longest took {came['longest'] * 1e3:.0f} ms")
        print(f"  wrk                              {' '.join(said.split()[-6:])}")
        print(f"  memory and descriptors           {first[1]} after the first, {before} when the")
        print(f"                                   clients had left, {left[1]} one upgrade later")

    @contextlib.contextmanager
    def _clients(self, module: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
        process = subprocess.Popen(
            [sys.executable, "-m", module, str(self.balancer.port), *arguments],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            if process.stdout is not None:
                # It says that it runs.
                process.stdout.readline()
            yield process
        finally:
            process.kill()
            process.wait()

    @contextlib.contextmanager
    def _wrk(self) -> Iterator[subprocess.Popen[str]]:
        config = self._folder / "nginx.conf"
        config.write_text(NGINX.format(folder=self._folder, here=HERE, port=self.httpHost))
        nginx = subprocess.Popen([shutil.which("nginx") or "nginx", "-c", str(config)])

        def answers() -> bool:
            with socket.socket() as sock:
                return sock.connect_ex((HERE, self.httpHost)) == 0

        try:
            until(answers, "nginx starts")
            wrk = subprocess.Popen(
                ["wrk", "-t1", f"-c{WRK}", "-d10h", "--timeout=30s", f"http://{HERE}:{self.http}/"],
                stdout=subprocess.PIPE,
                text=True,
            )
            try:
                yield wrk
            finally:
                wrk.kill()
                wrk.wait()
        finally:
            nginx.terminate()
            nginx.wait()


def main() -> None:
    """
    Do what the command line asks for.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--upgrades", type=int, default=100)
    parser.add_argument("--kill", type=int, default=0, help="upgrades in which one is killed")
    parser.add_argument("--faults", type=int, default=0, help="how often each fault happens")
    parser.add_argument("--only", default="", help="a part of the names of faults")
    parser.add_argument("--at-once", type=int, default=2, help="faults that are tried at a time")
    parser.add_argument("--rate", type=int, default=RATE, help="new clients a second")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="txlb") as folder, host() as hostPort:
        os.chmod(folder, 0o755)
        if given.faults:
            wrong = allFaults(Path(folder), hostPort, given.faults, given.only, given.at_once)
        elif given.kill:
            wrong = killed(Path(folder), hostPort, given.kill, given.seed)
        else:
            wrong = inARow(Path(folder), hostPort, given.upgrades, given.rate)
    raise SystemExit(bool(wrong))


def killed(folder: Path, hostPort: int, rounds: int, seed: int) -> list[str]:
    """
    Kill processes, and return what was wrong.
    """
    kills = Kills(folder, hostPort, seed)
    try:
        for what, count in kills.run(rounds).most_common():
            print(f"{count:4} times: {what}")
    finally:
        kills.stop()
    return kills.wrong


def inARow(folder: Path, hostPort: int, upgrades: int, rate: int) -> list[str]:
    """
    Upgrade again and again, and return what was wrong.
    """
    run = Run(folder, hostPort, rate)
    try:
        run.inARow(upgrades)
    finally:
        run.balancer.stop()
    return run.wrong


if __name__ == "__main__":
    main()
