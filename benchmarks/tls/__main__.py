"""
C{python -m benchmarks.tls}: what TLS costs, beside HAProxy, nginx, stunnel.

It compares the CPU of the proxies for full handshakes, resumed sessions, small requests and
bulk, by turns, as the other benchmarks do; then their memory for idle connections, and the cost
of passing TLS through by its name beside passing bytes. All ends speak TLS 1.3 with
AES-128-GCM and X25519. Clients end with close_notify. HAProxy, nginx and stunnel have the
system's OpenSSL, txlb that of Python's cryptography; the tables name both.
"""

from __future__ import annotations

import argparse
import ssl
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from OpenSSL import SSL

from benchmarks import machine
from benchmarks.peers import Field
from benchmarks.programs import ProgramError
from benchmarks.tls._files import Files
from benchmarks.tls._measured import Measured, Part
from benchmarks.tls._memory import measureMemory
from benchmarks.tls._peers import Mode, Scene, peersOf
from benchmarks.tls._streams import hosts
from benchmarks.tls._works import bulk, handshakes, kept
from benchmarks.traffic import Direction, TrafficError
from benchmarks.works import Errors, Work, compare

#: Parts of a run.
PARTS = ("in", "both", "rsa", "no-tickets", "names", "memory")

TRANSFER = 1 << 24


class Run:
    """
    One run.
    """

    def __init__(self, options: argparse.Namespace, folder: Path) -> None:
        self._options = options
        self._folder = folder
        self._files = Files.make(folder)
        self.errors = Errors()
        description = machine.describe()
        description["OpenSSL of txlb"] = SSL.SSLeay_version(SSL.SSLEAY_VERSION).decode("ascii")
        description["OpenSSL of the system"] = ssl.OPENSSL_VERSION
        self.measured = Measured(description, options.rounds, options.seconds)
        self._works: dict[str, Work] = {
            work.key: work
            for work in (
                handshakes(resumed=False),
                handshakes(resumed=True),
                kept(),
                bulk(Direction.TO_CLIENT, options.transfer),
                bulk(Direction.TO_SERVER, options.transfer),
            )
        }

    def run(self) -> None:
        """
        Measure all parts that are wanted.
        """
        files = self._files
        into = Scene(Mode.IN, files, files.ecdsa)
        both = replace(into, mode=Mode.BOTH)
        scenes: dict[str, tuple[str, Scene, tuple[str, ...], bool]] = {
            "in": ("TLS with clients, ECDSA P-256", into, tuple(self._works), True),
            "both": ("TLS with clients and hosts", both, tuple(self._works), True),
            "rsa": (
                "TLS with clients, RSA 2048",
                replace(into, certificate=files.rsa),
                ("full", "resumed"),
                False,
            ),
            "no-tickets": (
                "TLS with clients, without tickets",
                replace(into, tickets=False),
                ("full",),
                False,
            ),
            "names": (
                "TLS passed through",
                Scene(Mode.NAMES, files, files.ecdsa),
                ("full",),
                False,
            ),
        }
        for key, (title, scene, works, others) in scenes.items():
            if key in self._options.parts:
                wanted = [each for each in works if each in self._options.works]
                self._compare(key, title, scene, wanted, others)
        if "memory" in self._options.parts:
            for title, scene in (("TLS with clients", into), ("TLS with clients and hosts", both)):
                self._memory(title, scene)

    def _compare(self, key: str, title: str, scene: Scene, works: list[str], others: bool) -> None:
        options = self._options
        peers = peersOf(scene, others and not options.few, options.before, options.haproxy)
        part = Part(key, title, peers[0].name)
        self.measured.parts.append(part)
        wrap = hosts(scene.files.ecdsa) if scene.hostsHaveTLS else None
        with Field(self._new(f"part-{key}")) as field:
            running = []
            for peer in peers:
                self.measured.settings[peer.name] = f"{peer.settings}: {peer.version()}"
                running.append(field.start(peer, wrap=wrap))
            for each in running:
                field.await_(each)
            for name in works:
                work = self._works[name]
                print(f"{title}: {work.title}", file=sys.stderr, flush=True)
                part.comparisons.append(
                    compare(
                        field.events, running, work, options.rounds, options.seconds, self.errors
                    )
                )
        print(part.table().markdown(), flush=True)

    def _memory(self, title: str, scene: Scene) -> None:
        found = self.measured.memory.setdefault(title, [])
        options = self._options
        for peer in peersOf(scene, not options.few, options.before, options.haproxy):
            if peer.name == "haproxy again":
                continue
            print(f"{title}: memory of {peer.name}", file=sys.stderr, flush=True)
            with Field(self._new(f"{scene.mode.name}-{peer.name}")) as field:
                found.append(measureMemory(field, peer, scene, options.connections, self.errors))
        print(self.measured.tables()[-1].markdown(), flush=True)

    def _new(self, name: str) -> Path:
        folder = self._folder / name.replace(" ", "-")
        folder.mkdir()
        folder.chmod(0o755)
        return folder


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.tls", description="Measure the CPU and the memory of TLS."
    )
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    works = ("full", "resumed", "kept", "down", "up")
    parser.add_argument("--works", nargs="+", choices=works, default=works)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--seconds", type=float, default=0.5, help="of a round of a peer")
    parser.add_argument("--connections", type=int, default=500, help="whose memory is measured")
    parser.add_argument("--transfer", type=int, default=TRANSFER, help="bytes of one of bulk")
    parser.add_argument("--few", action="store_true", help="only HAProxy and the fast relay")
    parser.add_argument("--before", type=Path, help="another checkout of txlb to compare with")
    parser.add_argument(
        "--haproxy", type=Path, help="the program of another HAProxy to compare with"
    )
    parser.add_argument("--results", type=Path, help="a folder for tls.json and tls.inc")
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    """
    Measure, and print.

    @return: the exit status: 0 if nothing went wrong.
    """
    options = _options(arguments)
    machine.raiseDescriptorLimit()
    with (
        tempfile.TemporaryDirectory(prefix="txlb-bench") as name,
        machine.startingOn(machine.OTHER_CORE),
    ):
        Path(name).chmod(0o755)
        run = Run(options, Path(name))
        try:
            run.run()
        except (ProgramError, TrafficError) as error:
            print(error, file=sys.stderr)
            return 1
    if options.results is not None:
        options.results.mkdir(parents=True, exist_ok=True)
        (options.results / "tls.json").write_text(run.measured.toJSON(), encoding="utf-8")
        tables = "\n".join(table.restructured() for table in run.measured.tables())
        (options.results / "tls.inc").write_text(tables, encoding="utf-8")
    return 1 if run.errors.lines else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
