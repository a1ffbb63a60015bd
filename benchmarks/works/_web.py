"""
The question that txLoadBalancer was written for, in 2008: does an application in
two processes behind a balancer serve more than in one, and how does that compare
with Apache httpd?

Here nothing is kept to a core: applications, balancer and clients share the
machine as the system sees fit.
"""

from __future__ import annotations

import os
from pathlib import Path

from benchmarks.machine import CORES, startingOn
from benchmarks.peers import FAST, WEBAPP, Field, Peer, Running, apacheServing, peerNamed
from benchmarks.peers.webapp import TAIL, page
from benchmarks.scale import Scale
from benchmarks.traffic import Clients, Events, Exchange
from benchmarks.works._comparison import Comparison, Errors, Load, Work, compare

ALONE = "one twisted.web process"
BALANCED = "two of them, balanced by txlb"
APACHE = "Apache httpd alone"

#: Requests under way.
AT_ONCE = 32

#: What a browser would ask, and how the answer ends.
PAGE = Exchange(
    request=b"GET / HTTP/1.1\r\nHost: bench\r\nAccept: text/html\r\n\r\n", answer=None, tail=TAIL
)


def _pageLoad(atOnce: int, kept: int) -> Work:
    def makeLoad(events: Events, running: Running) -> Load:
        return Clients(events, running.address, PAGE, atOnce, kept)

    how = "kept alive" if kept else "a connection each"
    many = "one at a time" if atOnce == 1 else f"{atOnce} at once"
    return Work(f"web-{atOnce}{'-kept' if kept else ''}", f"pages, {how}, {many}", "page", makeLoad)


WORKS = (_pageLoad(AT_ONCE, 0), _pageLoad(AT_ONCE, AT_ONCE), _pageLoad(1, 1))


def measureWeb(field: Field, scale: Scale, errors: Errors) -> list[Comparison]:
    """
    Measure the site alone, twice behind txlb, and Apache httpd with the page as a file.
    """
    with Field(field.folder) as own, startingOn(*CORES):
        peers = _start(own)
        return [
            compare(own.events, peers, work, scale.sideRounds, scale.sideSeconds, errors)
            for work in WORKS[: None if scale.everything else 1]
        ]


def _start(field: Field) -> list[Running]:
    def start(name: str, peer: Peer, behind: list[tuple[str, int]]) -> Running:
        running = field.start(peer, cores=tuple(CORES), behind=behind)
        field.await_(running)
        running.name = name
        return running

    alone, *two = [start(ALONE, WEBAPP, []) for _ in range(3)]
    peers = [alone, start(BALANCED, peerNamed(FAST), [running.address for running in two])]
    apache = apacheServing(_pages(field.folder))
    if apache.version() is not None:
        peers.append(start(APACHE, apache, []))
    return peers


def _pages(folder: Path) -> Path:
    pages = folder / "pages"
    pages.mkdir(exist_ok=True)
    # Apache's children may run as any user; they have to read it.
    os.chmod(pages, 0o755)
    (pages / "index.html").write_bytes(page())
    return pages
