"""
Certificates that are renewed while clients connect.

    python -m benchmarks.tls.reloads                           # 50 good reloads and 50 bad ones
    python -m benchmarks.tls.reloads --reloads 5 --rate 100    # fewer, and fewer clients

So many clients a second make a full handshake, verify the certificate, make a request, and end.
Meanwhile the file of the certificate is replaced and read again by the command
C{reloadCertificates}, a bad file and a good one by turns. A client that connects after the answer
to a good one has to get that certificate or a later one. Not one may fail.
"""

from __future__ import annotations

import argparse
import bisect
import itertools
import os
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL

from benchmarks import machine
from benchmarks.figures import percentile
from benchmarks.peers import FAST, PORTABLE, Field, Running
from benchmarks.programs import ProgramError
from benchmarks.tls._authority import Authority, keyPEM
from benchmarks.tls._files import Files
from benchmarks.tls._peers import Mode, Scene, txlb
from benchmarks.tls._streams import TLSClients, TLSStream
from benchmarks.traffic import Events, Pace, RequestClient, TrafficError
from txlb.cli._client import Client
from txlb.cli._command import Failed

#: Seconds between two reloads.
PAUSE = 0.2

#: Seconds of clients before the first reload and after the last one.
AROUND = 0.5

#: Clients at once at most. One that is due then is left out, and counted.
MOST = 1000


class Renewed:
    """
    The certificate that is renewed.

    @param authority: signs each of them.
    @param path: the file that the balancer reads.

    @ivar serials: of all good certificates so far.
    @ivar since: when the balancer has told that it uses them, each by C{time.perf_counter}.
    """

    def __init__(self, authority: Authority, path: Path) -> None:
        self._authority = authority
        self._path = path
        self.serials: list[int] = []
        self.since: list[float] = []

    def _made(self, days: float = 30.0) -> tuple[bytes, bytes, int]:
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._authority.certify(key, days)
        pem = certificate.public_bytes(Encoding.PEM)
        return pem, keyPEM(key), certificate.serial_number

    def bad(self) -> Iterator[tuple[str, bytes]]:
        """
        Yield files that the balancer has to refuse, each with what is wrong with it.
        """
        while True:
            pem, key, _ = self._made()
            yield "garbage", os.urandom(999)
            yield "the key of another certificate", pem + self._made()[1]
            yield "an expired certificate", b"".join(self._made(-1.0)[:2])
            yield "half of a file", (pem + key)[:400]
            yield "no key", pem
            yield "an empty file", b""

    def put(self, data: bytes) -> None:
        """
        Replace the file in one step.
        """
        new = self._path.with_suffix(".new")
        new.touch(mode=0o600)
        new.write_bytes(data)
        new.replace(self._path)

    def renew(self) -> None:
        """
        Put a good file into its place.
        """
        pem, key, serial = self._made()
        self.serials.append(serial)
        self.put(pem + key)

    def used(self) -> None:
        """
        Note that the balancer uses the last one.
        """
        self.since.append(time.perf_counter())


class RenewedClients(TLSClients):
    """
    Clients that verify the certificate, and note which one they got.

    @ivar got: for each client when it began to connect, and the serial number.
    """

    def __init__(self, events: Events, authority: Path) -> None:
        super().__init__(events.trouble, authority=authority)
        self.got: list[tuple[float, int]] = []

    def connect(self, address: tuple[str, int]) -> TLSStream:
        """
        Connect one.
        """
        began = time.perf_counter()
        stream = super().connect(address)
        stream.connection.set_app_data(began)
        return stream

    def closing(self, connection: SSL.Connection) -> None:
        """
        Look at the certificate.
        """
        certificate = connection.get_peer_certificate()
        if certificate is not None:
            super().closing(connection)
            self.got.append((connection.get_app_data(), certificate.get_serial_number()))


@dataclass
class Found:
    """
    What a run has found.

    @ivar wrong: the reloads whose answer was wrong.
    @ivar took: seconds of each reload.
    @ivar latencies: seconds of each client, from its connecting to its answer.
    @ivar seconds: of the whole run.
    @ivar cpu: seconds of the balancer.
    @ivar left: clients that were left out.
    """

    wrong: list[str] = field(default_factory=list)
    took: list[float] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)
    failed: int = 0
    seconds: float = 0.0
    cpu: float = 0.0
    left: int = 0


def reloading(renewed: Renewed, control: str, reloads: int, found: Found) -> None:
    """
    Replace the file and have it read, again and again.
    """
    time.sleep(AROUND)
    try:
        with Client(control) as client:
            for what, data in itertools.islice(renewed.bad(), reloads):
                renewed.put(data)
                if not _reload(client, found):
                    found.wrong.append(f"{what} was not refused")
                time.sleep(PAUSE)
                renewed.renew()
                if _reload(client, found):
                    found.wrong.append("a good certificate was refused")
                renewed.used()
                time.sleep(PAUSE)
    except (Failed, OSError) as error:
        found.wrong.append(str(error))
    time.sleep(AROUND)


def _reload(client: Client, found: Found) -> bool:
    """
    Have the balancer read its files.

    @return: whether it has found a fault.
    """
    began = time.perf_counter()
    rows = client.rows("ReloadCertificates")
    found.took.append(time.perf_counter() - began)
    return any(row["row"] == "fault" for row in rows)


def connecting(
    events: Events,
    running: Running,
    clients: RenewedClients,
    rate: float,
    work: threading.Thread,
    found: Found,
) -> None:
    """
    Let clients connect while a thread works.
    """
    under = 0

    def answered(client: RequestClient) -> None:
        nonlocal under
        under -= 1
        found.latencies.append(time.perf_counter() - client.began)
        client.close()

    def failed(_: RequestClient) -> None:
        nonlocal under
        under -= 1
        found.failed += 1

    def connect() -> bool:
        nonlocal under
        if under >= MOST:
            return False
        under += 1
        client = RequestClient(events, running.exchange, answered, failed, clients.connect)
        client.open(running.address)
        return True

    pace = Pace(rate, connect)
    events.paces.append(pace)
    began, cpu = time.perf_counter(), running.cpuTime()
    work.start()
    while work.is_alive():
        events.turn()
    found.seconds = time.perf_counter() - began
    found.cpu = (running.cpuTime() - cpu) / 1e9
    events.paces.clear()
    found.left = pace.left
    events.runUntil(lambda: not under, "the last answers")


def stale(renewed: Renewed, got: list[tuple[float, int]]) -> Counter[str]:
    """
    Compare the certificates that clients got with those that were in use.

    @param got: for each client when it began to connect, and the serial number.
    @return: how many got an older one than they should have, or one that there never was.
    """
    found: Counter[str] = Counter()
    order = {serial: number for number, serial in enumerate(renewed.serials)}
    for began, serial in got:
        if serial not in order:
            found["unknown"] += 1
        elif order[serial] < bisect.bisect_right(renewed.since, began) - 1:
            found["stale"] += 1
    return found


def measured(options: argparse.Namespace, folder: Path) -> bool:
    """
    Run, and print what was found.

    @return: whether all was well.
    """
    authority = Authority()
    root = folder / "authority.pem"
    root.write_bytes(authority.pem)
    (folder / "certificates").mkdir()
    path = folder / "certificates" / "certificate.pem"
    renewed = Renewed(authority, path)
    renewed.renew()
    scene = Scene(Mode.IN, Files(root, path, path), path)
    peer = txlb(FAST if options.relay == "fast" else PORTABLE, scene, options.relay)
    words = {**peer.words(), "CONTROL": '<control socket="control/socket"/>'}
    found = Found()
    with machine.startingOn(machine.OTHER_CORE), Field(folder) as place:
        running = place.start(replace(peer, words=lambda: words))
        place.await_(running)
        renewed.used()
        clients = RenewedClients(place.events, root)
        assert running.program is not None
        control = str(running.program.log.parent / "control" / "socket")
        work = threading.Thread(target=reloading, args=(renewed, control, options.reloads, found))
        connecting(place.events, running, clients, options.rate, work, found)
        trouble = place.events.trouble.take()
    wrong = stale(renewed, clients.got)
    each = Counter(serial for _, serial in clients.got)
    done, fewest = len(found.latencies), min(each[serial] for serial in renewed.serials)
    print(
        f"{options.relay} relay, {len(renewed.since) - 1} good reloads and as many bad ones in "
        f"{found.seconds:.1f} s, {1000 * max(found.took):.0f} ms at most; {len(found.wrong)} wrong "
        "answers"
    )
    print(
        f"{done} full handshakes and requests, {done / found.seconds:,.0f}/s, "
        f"{1e6 * found.cpu / max(done, 1):.0f} µs of CPU each, p99 "
        f"{1000 * percentile(found.latencies, 0.99):.0f} ms; {found.failed} failed, {found.left} "
        f"left out; {wrong['stale']} got an old certificate, {wrong['unknown']} an unknown one; "
        f"at least {fewest} got each"
    )
    for line in (*found.wrong, *trouble):
        print(line, file=sys.stderr)
    if found.left or not fewest:
        print("the clients could not keep to the rate, so this shows nothing", file=sys.stderr)
    return fewest > 0 and not (found.left or found.wrong or trouble or wrong)


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.tls.reloads",
        description="Renew a certificate while clients connect.",
    )
    parser.add_argument("--reloads", type=int, default=50, help="good ones, and as many bad ones")
    parser.add_argument("--rate", type=float, default=1000.0, help="handshakes a second")
    parser.add_argument("--relay", choices=("fast", "portable"), default="fast")
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    """
    Measure, and print.

    @return: the exit status: 0 if the rate was kept, no client failed, each got the right
        certificate, some got each, and each reload was answered rightly.
    """
    options = _options(arguments)
    machine.raiseDescriptorLimit()
    with tempfile.TemporaryDirectory(prefix="txlb-bench") as name:
        try:
            return 0 if measured(options, Path(name)) else 1
        except (ProgramError, TrafficError) as error:
            print(error, file=sys.stderr)
            return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
