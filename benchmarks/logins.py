"""
C{python -m benchmarks.logins}: connections through a balancer while 200 administrators log in at
once, and the LDAP and RADIUS servers that decide are silent or dead. They log in to the console, or
with C{--door ssh} to the prompt. It ends by itself within 5 minutes.

Each login comes from a loopback address of its own, so that bounds of tries refuse none. Rounds
without logins (A, and once more A), with silent servers, and with dead ones, where nothing listens,
take turns: the ratio of the two A is the spread.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.beside import Beside, Comparison
from benchmarks.configurations import HOST, LISTEN, configuration, hostElements, service
from benchmarks.machine import comeLast
from benchmarks.programs import ROOT, freePort, python

#: Logins at once, seconds of a round, and of the whole.
LOGINS, ROUND, WHOLE = 200, 8.0, 260.0

#: Seconds that a client of ssh waits for each answer. The prompt has places for 48 that have not
#: logged in, and closes the others.
PATIENCE = 10.0

ADMIN = """\
  <admin>
    <web enable="yes" listen="127.0.0.1:{web}"/>
    <ssh enable="yes" listen="127.0.0.1:{ssh}"/>
    <ldap url="ldap://127.0.0.1:{ldap}" startTLS="yes" searchBase="dc=example,dc=org" timeout="2"
      onUnavailable="next"><map group="ops" access="operator"/></ldap>
    <radius servers="127.0.0.1:{radius}" secretFile="radius.secret" timeout="1" retries="1"
      onUnavailable="next"><map value="ops" access="operator"/></radius>
  </admin>"""


class Servers:
    """
    An LDAP and a RADIUS server that take everything and say nothing.

    @ivar ports: theirs.
    """

    def __init__(self) -> None:
        self.ports = (freePort(), freePort())
        self._open: list[socket.socket] = []

    def silent(self) -> None:
        """
        Listen.
        """
        if self._open:
            return
        for port, kind in zip(self.ports, (socket.SOCK_STREAM, socket.SOCK_DGRAM), strict=True):
            sock = socket.socket(socket.AF_INET, kind)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(("127.0.0.1", port))
            if kind == socket.SOCK_STREAM:
                # The system accepts for it.
                sock.listen(512)
            self._open.append(sock)

    def dead(self) -> None:
        """
        Listen no more.
        """
        for sock in self._open:
            sock.close()
        self._open.clear()


class Crowd:
    """
    The clients that log in, as another process that leaves the processor to the others.

    @param port: that of the door.
    @param door: the word of the door.
    @ivar answers: the answers by status, as of HTTP: 401 for a login that was refused, 503 for one
        about which nothing was decided, and 0 for a connection that was closed without an answer.
    """

    def __init__(self, door: str, port: int, logins: int) -> None:
        self.answers: Counter[int] = Counter()
        words = ("--crowd", str(port), "--logins", str(logins), "--door", door)
        self._process = subprocess.Popen(
            python("-m", "benchmarks.logins", *words),
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def begin(self) -> None:
        """
        Log in, all at once.
        """
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()

    def told(self) -> None:
        """
        Wait for the answers.
        """
        assert self._process.stdout is not None
        found: dict[str, int] = json.loads(self._process.stdout.readline())
        self.answers.update({int(status): count for status, count in found.items()})

    def stop(self) -> None:
        """
        End it.
        """
        self._process.kill()
        self._process.communicate()


def _addressOf(number: int) -> str:
    """
    Return the address of a client.
    """
    return f"127.0.{1 + number // 250}.{1 + number % 250}"


async def _logIn(port: int, number: int) -> int:
    """
    Log in once.

    @return: the status of the answer; 0 if there is none.
    """
    body = json.dumps({"user": f"user{number}", "password": "wrong"}).encode()
    head = (
        f"POST /api/v1/login HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nSec-Fetch-Site: same-origin\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    address = _addressOf(number)
    writer: Any = None
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(address, 0))
        writer.write(head.encode() + body)
        line = await asyncio.wait_for(reader.readline(), 60)
        return int(line.split()[1]) if line else 0
    except (OSError, TimeoutError):
        return 0
    finally:
        if writer is not None:
            writer.close()


def _logInBySSH(port: int, number: int) -> int:
    """
    Log in once at the prompt.

    @return: see L{_logIn}. By ssh nothing tells the two reasons of a refusal apart.
    """
    # It comes with the tests.
    import paramiko  # noqa: PLC0415 - only for this door

    try:
        source = (_addressOf(number), 0)
        with (
            socket.create_connection(("127.0.0.1", port), PATIENCE, source) as sock,
            paramiko.Transport(sock) as transport,
        ):
            transport.banner_timeout = transport.auth_timeout = PATIENCE
            transport.start_client(timeout=PATIENCE)
            transport.auth_password(f"user{number}", "wrong", fallback=False)
            return 200
    except paramiko.AuthenticationException:
        return 401
    except (OSError, EOFError, paramiko.SSHException):
        return 0


async def _crowd(door: str, port: int, logins: int) -> None:
    logging.getLogger("paramiko").setLevel(logging.CRITICAL)
    threads = ThreadPoolExecutor(logins)

    def logIn(number: int) -> Awaitable[int]:
        if door == "ssh":
            loop = asyncio.get_running_loop()
            return loop.run_in_executor(threads, _logInBySSH, port, number)
        return _logIn(port, number)

    while await asyncio.to_thread(sys.stdin.readline):
        found = await asyncio.gather(*map(logIn, range(logins)))
        print(json.dumps(Counter(found)), flush=True)


def _measure(options: argparse.Namespace) -> int:
    servers = Servers()
    doors = {"web": freePort(), "ssh": freePort()}
    port = doors[options.door]
    ldap, radius = servers.ports
    config = configuration(
        service("web", LISTEN, hostElements([HOST])),
        ADMIN.format(**doors, ldap=ldap, radius=radius),
    )
    until = time.monotonic() + options.seconds
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        secret = folder / "radius.secret"
        secret.touch(0o600)
        secret.write_text("a secret of the benchmark", encoding="ascii")
        beside = stack.enter_context(Beside(folder, config))
        beside.waitForPort(port)
        crowd = Crowd(options.door, port, options.logins)
        stack.callback(crowd.stop)

        def beginning(prepare: Callable[[], object]) -> Callable[[], None]:
            def begin() -> None:
                prepare()
                crowd.begin()
                # Their answers come within the round, and it lasts its time.
                crowd.told()

            return begin

        comparison = Comparison(
            {
                "A, nothing": lambda: None,
                "A, nothing again": lambda: None,
                "B, silent servers": beginning(servers.silent),
                "C, dead servers": beginning(servers.dead),
            }
        )
        comparison.run(beside, options.round, until)
        servers.dead()
    what = f"{options.logins} logins at once by {options.door}"
    print(f"{what}; answers by status: {dict(crowd.answers)}")
    for line in comparison.table():
        print(line)
    for line in comparison.verdicts("p99 of connections", lambda each: each.late):
        print(line)
    for name, rounds in comparison.rounds.items():
        sizes = [each.memory / 2**20 for each in rounds]
        print(f"memory, {name}: {sizes[0]:.1f} MiB in the first round, {sizes[-1]:.1f} in the last")
    failed = sum(each.failed for rounds in comparison.rounds.values() for each in rounds)
    return 1 if failed or not crowd.answers else 0


def main(arguments: list[str]) -> int:
    """
    Measure, and print.

    @return: the exit status: 0 if all connections were answered.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks.logins", description=__doc__)
    parser.add_argument("--logins", type=int, default=LOGINS)
    parser.add_argument("--door", choices=("web", "ssh"), default="web")
    parser.add_argument("--seconds", type=float, default=WHOLE)
    parser.add_argument("--round", type=float, default=ROUND)
    parser.add_argument("--crowd", type=int, metavar="PORT", help="be the clients, for another run")
    options = parser.parse_args(arguments)
    if options.crowd is not None:
        comeLast()
        asyncio.run(_crowd(options.door, options.crowd, options.logins))
        return 0
    return _measure(options)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
