"""
Many upgrades in a row under load, and kills at random moments: C{python -m benchmarks.upgrades}.

Downloads, uploads, idle and new connections go through one service, each byte of which is checked.
C{wrk} goes through another one. Between two upgrades the file is loaded again, or a host is drained
and comes back. At the end the clients leave, and the process is compared with the one after the
first upgrade.

With C{--kill NUMBER} either process is killed in so many upgrades, at random moments. A connection
is served by one process then, or has ended.

The exit status is 1 if anything was wrong.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
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
    open_,
    proportional,
    until,
    words,
)

#: Clients of each kind. The short ones make about 300 connections a second, if the machine can.
CLIENTS = {"downloads": 32, "uploads": 32, "idle": 300, "short": 12}

#: Connections of wrk, and of a round with a kill.
WRK, KILLED = 16, 20

#: Seconds of an upgrade within which a process is killed.
MOMENT = 2.5

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

    def __init__(self, folder: Path, hostPort: int) -> None:
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
        with self._wrk() as wrk, self._clients() as clients:
            for number in range(upgrades):
                times.append(self.upgrade())
                self.between(number)
                if not number % 10:
                    print(f"  {number + 1} upgrades, {self.facts()}", flush=True)
            seen = json.loads(clients.communicate("")[0])
            wrk.send_signal(signal.SIGINT)
            said = wrk.communicate()[0]
        self.check(not seen["wrong"], f"clients: {Counter(seen['wrong']).most_common(5)}")
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
        print(f"  wrk                              {' '.join(said.split()[-6:])}")
        print(f"  memory and descriptors           {first[1]} after the first, {before} when the")
        print(f"                                   clients had left, {left[1]} one upgrade later")

    @contextlib.contextmanager
    def _clients(self) -> Iterator[subprocess.Popen[str]]:
        numbers = [f"{kind}={count}" for kind, count in CLIENTS.items()]
        module = "tests.integration.stream_clients"
        process = subprocess.Popen(
            [sys.executable, "-m", module, str(self.balancer.port), *numbers],
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

    # Kills

    def kills(self, rounds: int, chance: random.Random) -> Counter[str]:
        """
        Kill either process at random moments.

        @return: how often what has happened.
        """
        outcomes: Counter[str] = Counter()
        for number in range(rounds):
            outcomes[self._kill(chance, bool(number % 2))] += 1
            if not (number + 1) % 20:
                print(f"  {number + 1} kills: {dict(outcomes)}", flush=True)
        return outcomes

    def _kill(self, chance: random.Random, killOld: bool) -> str:
        if isGone(self.balancer.pid):
            # Both are gone.
            self.balancer.stop()
            shutil.rmtree(self.balancer.folder)
            self.balancer = Balancer(self.balancer.folder, self._hostPort)
        sockets = [open_(self.balancer.port) for _ in range(KILLED)]
        for sock in sockets:
            self.check(echoes(sock), "a connection is not served before")
        old, before = self.balancer.pid, len(self.balancer.log)
        started = self.balancer.log.count("upgrade: process ")
        os.kill(old, signal.SIGUSR2)
        until(lambda: self.balancer.log.count("upgrade: process ") > started, "the new one starts")
        new = int(re.findall(r"upgrade: process (\d+) starts", self.balancer.log)[-1])
        relays = self.balancer.log.count("relay: fast")
        if chance.random() < 0.8:
            # In the short time in which connections move.
            until(lambda: self.balancer.log.count("relay: fast") > relays or isGone(old), "moves")
            time.sleep(chance.random() * MOMENT / 10)
        else:
            time.sleep(chance.random() * MOMENT)
        victim, other = (old, new) if killOld else (new, old)
        with contextlib.suppress(ProcessLookupError):
            os.kill(victim, signal.SIGKILL)
        until(partial(isGone, victim), "the process that is killed ends")
        until(lambda: self._isSettled(victim, other, before, killOld), "the upgrade is over")
        served = sum(map(echoes, sockets))
        for sock in sockets:
            sock.close()
        what = f"{'old' if killOld else 'new'} one killed, {served} of {KILLED} go on"
        self.check(served in {0, KILLED}, what)
        if not killOld and not isGone(old):
            self.check(served == KILLED, f"{what}, though the old one serves")
        if not isGone(other):
            with open_(self.balancer.port) as sock:
                self.check(echoes(sock), f"{what}, and a new one is not served")
        return what

    def _isSettled(self, victim: int, other: int, before: int, killOld: bool) -> bool:
        if isGone(other):
            return True
        said = self.balancer.log[before:]
        if killOld:
            return self.balancer.pid == other and "the control socket is" in said
        return f"process {victim} serves" not in said and "This process goes on" in said


def echoes(sock: socket.socket) -> bool:
    """
    Tell whether a connection is served. One that is not has ended, and does not hang.
    """
    try:
        sock.sendall(b"word")
        return sock.recv(4, socket.MSG_WAITALL) == b"word"
    except OSError:
        return False


def main() -> None:
    """
    Do what the command line asks for.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--upgrades", type=int, default=100)
    parser.add_argument("--kill", type=int, default=0, help="upgrades in which one is killed")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="txlb") as folder, host() as hostPort:
        os.chmod(folder, 0o755)
        run = Run(Path(folder), hostPort)
        try:
            if given.kill:
                for what, count in run.kills(given.kill, random.Random(given.seed)).items():
                    print(f"{count} times: {what}")
            else:
                run.inARow(given.upgrades)
        finally:
            run.balancer.stop()
    raise SystemExit(bool(run.wrong))


if __name__ == "__main__":
    main()
