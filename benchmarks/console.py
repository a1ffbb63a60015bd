"""
C{python -m benchmarks.console}: the CPU of the balancer for a connection, with a page of the
console open and a scrape every 5 s, beside none. It ends by itself within 6 minutes.

The page is what a browser does: a login, all in a short form, the past events, and the stream of
events, which it reads. The scrape is Prometheus': C{/metrics}, with gzip. Rounds without anything
(A, and once more A) and with both (B) take turns, so the ratio of the two A is the spread.
"""

from __future__ import annotations

import argparse
import http.client
import json
import sys
import tempfile
import threading
import time
from pathlib import Path

from benchmarks.beside import Beside, Comparison
from benchmarks.configurations import (
    HOST,
    LISTEN,
    configuration,
    hostElements,
    quietHosts,
    service,
)
from benchmarks.programs import freePort

#: Seconds of a round, of the whole, and between two scrapes.
ROUND, WHOLE, SCRAPE = 10.0, 320.0, 5.0

ADMIN = """\
  <admin>
    <web enable="yes" listen="127.0.0.1:{web}" refresh="5"/>
    <user name="ann" access="readonly"
      password="$argon2id$v=19$m=8,t=1,p=1$wKpcZgqfpWGCxiEqE9IBOQ$uGajdIj0TNG7JUXYzR5tVjNcIwzCVQnclnTrtGPu3CM"/>
  </admin>"""


class Page:
    """
    An open page, and Prometheus, for the time of one round.

    @param port: that of the console.
    @param seconds: how long they are there.
    """

    def __init__(self, port: int, seconds: float) -> None:
        self._port = port
        self._seconds = seconds
        self.faults: list[str] = []
        self.updates = 0

    def open(self) -> None:
        """
        Begin, in threads that end by themselves.
        """
        for target in (self._follow, self._scrape):
            threading.Thread(target=self._guarded, args=(target,), daemon=True).start()

    def _guarded(self, target: object) -> None:
        assert callable(target)
        try:
            target()
        except (OSError, http.client.HTTPException) as error:
            self.faults.append(repr(error))

    def _ask(self, method: str, path: str, **headers: str) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        body = None
        if method == "POST":
            body = json.dumps({"user": "ann", "password": "secret"})
            headers |= {"Content-Type": "application/json"}
        connection.request(method, path, body, {"Sec-Fetch-Site": "same-origin", **headers})
        answer = connection.getresponse()
        if answer.status != 200:
            raise http.client.HTTPException(f"{path}: {answer.status} {answer.read(500)!r}")
        return answer

    def _follow(self) -> None:
        until = time.monotonic() + self._seconds - 0.5
        login = self._ask("POST", "/api/v1/login")
        cookie = str(login.getheader("Set-Cookie")).partition(";")[0]
        login.read()
        for path in ("/", "/console.js", "/api/v1/session", "/api/v1/overview"):
            self._ask("GET", path, Cookie=cookie).read()
        self._ask("GET", "/api/v1/events?after=-300", Cookie=cookie).read()
        stream = self._ask("GET", "/api/v1/events", Cookie=cookie, Accept="text/event-stream")
        while time.monotonic() < until:
            # An update comes every few seconds.
            if stream.readline().startswith(b"event: update"):
                self.updates += 1
        stream.close()

    def _scrape(self) -> None:
        for _ in range(int(self._seconds / SCRAPE)):
            began = time.monotonic()
            self._ask("GET", "/metrics", **{"Accept-Encoding": "gzip"}).read()
            time.sleep(max(began + SCRAPE - time.monotonic(), 0.0))


def main(arguments: list[str]) -> int:
    """
    Measure, and print.

    @return: the exit status: 0 if all connections and requests were answered.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks.console", description=__doc__)
    parser.add_argument("--hosts", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=WHOLE)
    parser.add_argument("--round", type=float, default=ROUND)
    options = parser.parse_args(arguments)
    web = freePort()
    config = configuration(
        service("web", LISTEN, hostElements([HOST])),
        service("more", f"127.0.0.1:{freePort()}", quietHosts(options.hosts)),
        ADMIN.format(web=web),
    )
    page = Page(web, options.round)
    until = time.monotonic() + options.seconds
    with tempfile.TemporaryDirectory() as folder, Beside(Path(folder), config) as beside:
        beside.waitForPort(web)
        ways = {
            "A, nothing": lambda: None,
            "A, nothing again": lambda: None,
            "B, page and scrapes": page.open,
        }
        comparison = Comparison(ways)
        comparison.run(beside, options.round, until)
    print(f"{options.hosts + 1} hosts, {page.updates} updates to pages")
    for line in comparison.table():
        print(line)
    for line in comparison.verdicts("CPU of a connection", lambda each: each.cpu):
        print(line)
    for fault in page.faults:
        print(f"FAULT: {fault}")
    failed = sum(each.failed for rounds in comparison.rounds.values() for each in rounds)
    return 1 if failed or page.faults or not page.updates else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
