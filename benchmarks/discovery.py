"""
What sources with many hosts do to clients: how soon a change is live, how long the reactor is held
at most, how long a client waits, and how much memory the balancer has.

    python -m benchmarks.discovery                  # 10,000 hosts in 100 groups
    python -m benchmarks.discovery --hosts 1000     # fewer
    python -m benchmarks.discovery --from etcd      # only by etcd, which has to be installed
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import threading
import time
import urllib.request
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks import machine
from benchmarks.programs import ROOT, Program, freePort
from benchmarks.reloads import MOST, Balancer, Echo, Hosts, Seen, Shape

#: A change has to be live after so many seconds.
LIVE = 1.0

#: Services, and groups of each.
SERVICES, GROUPS = 10, 10

#: Keys that one transaction of etcd writes.
TOGETHER = 100

CONFIG = """\
<config>
{services}
  <manager graceTime="0"/>
  <control socket="{folder}/control"/>
</config>
"""

SERVICE = """\
  <service name="{name}">
    <listen ip="127.0.0.1:{port}"/>
{groups}
  </service>
"""

GROUP = """\
    <group name="{name}" scheduler="leastc" enable="{enabled}">
      <discover {source} maxRemove="1"/>
    </group>
"""

Key = tuple[str, str, str]


class FileRegistry:
    """
    All hosts in one file.
    """

    name = "file"

    def __init__(self, folder: Path) -> None:
        self._path = folder / "hosts.json"

    def source(self, service: str, group: str) -> str:
        """
        Return the attributes of a group's source.
        """
        return f'from="file" path="{self._path}" interval="0.1"'

    def write(self, hosts: dict[Key, dict[str, Any]], changed: dict[Key, dict[str, Any]]) -> None:
        """
        Write all hosts, and last those of the last service.
        """
        entries = [
            {"service": service, "group": group, "name": name, **entry}
            for (service, group, name), entry in hosts.items()
        ]
        beside = self._path.with_suffix(".new")
        beside.write_text(json.dumps(entries), encoding="ascii")
        beside.rename(self._path)

    def stop(self) -> None:
        """
        Do nothing.
        """


class EtcdRegistry:
    """
    Each host as a key of one etcd.
    """

    name = "etcd"

    def __init__(self, folder: Path) -> None:
        self._port, peer = freePort(), freePort()
        url = f"http://127.0.0.1:{self._port}"
        peers = f"http://127.0.0.1:{peer}"
        self._program = Program(
            "etcd",
            [
                "etcd",
                f"--data-dir={folder}/etcd",
                f"--listen-client-urls={url}",
                f"--advertise-client-urls={url}",
                f"--listen-peer-urls={peers}",
                f"--initial-advertise-peer-urls={peers}",
                f"--initial-cluster=default={peers}",
            ],
            folder,
        )
        self._program.waitForPort(("127.0.0.1", self._port))
        self._known: set[Key] = set()

    def source(self, service: str, group: str) -> str:
        """
        Return the attributes of a group's source.
        """
        return f'from="etcd" url="http://127.0.0.1:{self._port}" prefix="txlb/{service}/{group}"'

    def write(self, hosts: dict[Key, dict[str, Any]], changed: dict[Key, dict[str, Any]]) -> None:
        """
        Write what has changed.
        """
        operations: list[dict[str, Any]] = [
            {"request_delete_range": {"key": _key(key)}} for key in self._known - set(hosts)
        ]
        operations += [
            {"request_put": {"key": _key(key), "value": _coded(json.dumps(entry))}}
            for key, entry in changed.items()
        ]
        self._known = set(hosts)
        for at in range(0, len(operations), TOGETHER):
            body = json.dumps({"success": operations[at : at + TOGETHER]}).encode()
            request = urllib.request.Request(f"http://127.0.0.1:{self._port}/v3/kv/txn", body)
            with urllib.request.urlopen(request, timeout=30) as response:
                response.read()

    def stop(self) -> None:
        """
        Stop it.
        """
        self._program.stop()


def _coded(text: str) -> str:
    return b64encode(text.encode()).decode("ascii")


def _key(key: Key) -> str:
    return _coded("txlb/" + "/".join(key))


class Discovering(Balancer):
    """
    A balancer whose hosts are found.

    @param registry: has them.
    """

    def __init__(
        self, folder: Path, hosts: int, hostPort: int, registry: FileRegistry | EtcdRegistry
    ) -> None:
        self.registry = registry
        self.hosts: dict[Key, dict[str, Any]] = {}
        self._generation = 1
        # With one more service, which changes last and shows that all is live.
        super().__init__(folder, Shape(hosts, SERVICES + 1), ROOT / "src", hostPort)
        until = time.monotonic() + 30
        while not (folder / "control").exists() and time.monotonic() < until:
            time.sleep(0.05)

    def write(self) -> None:
        """
        Write the configuration, without hosts.
        """
        services = []
        for number, port in enumerate(self._ports):
            name = self.names[number]
            groups = [
                GROUP.format(
                    name=f"g{group}",
                    enabled="yes" if not group else "no",
                    source=self.registry.source(name, f"g{group}"),
                )
                for group in range(1 if number == SERVICES else GROUPS)
            ]
            services.append(SERVICE.format(name=name, port=port, groups="".join(groups)))
        self.path.write_text(
            CONFIG.format(services="".join(services), folder=self.folder), encoding="ascii"
        )

    def change(self, hosts: dict[Key, dict[str, Any]]) -> None:
        """
        Let these be the hosts, and wait until it is so.
        """
        self._generation += 1
        last = (f"s{SERVICES}", "g0", "last")
        wanted = {**hosts, last: self._entry(len(hosts), weight=self._generation)}
        changed = {key: each for key, each in wanted.items() if self.hosts.get(key) != each}
        self.hosts = wanted
        self.registry.write(wanted, changed)
        while not self._isLive():
            time.sleep(0.02)

    def _isLive(self) -> bool:
        rows = self.ask("Status", service=f"s{SERVICES}")
        return any(row["row"] == "host" and row["weight"] == self._generation for row in rows)

    def isRight(self) -> bool:
        """
        Return whether the balancer has the hosts that it has to have.
        """
        found = {
            (row["service"], row["group"], row["name"]): row["weight"]
            for row in self.ask("Status")
            if row["row"] == "host"
        }
        return found == {key: entry["weight"] for key, entry in self.hosts.items()}

    def waitUntilRight(self) -> float:
        """
        Wait until it is so.

        @return: how many seconds that took.
        """
        began = time.monotonic()
        while not self.isRight():
            if time.monotonic() > began + 60:
                raise RuntimeError("the hosts are not those of the registry after a minute")
            time.sleep(0.2)
        return time.monotonic() - began

    def _entry(self, number: int, weight: int = 1) -> dict[str, Any]:
        return {
            "address": f"127.1.{number // 250}.{number % 250 + 1}:{self._hostPort}",
            "weight": weight,
        }

    def some(self, count: int, first: int = 0, weight: int = 1) -> dict[Key, dict[str, Any]]:
        """
        Make hosts, spread over all groups.
        """
        made = {}
        for number in range(first, first + count):
            group = number % (SERVICES * GROUPS)
            key = (f"s{group // GROUPS}", f"g{group % GROUPS}", f"h{number}")
            made[key] = self._entry(number, weight)
        return made

    @property
    def memory(self) -> int:
        """
        Its resident memory, in bytes.
        """
        text = Path(f"/proc/{self._program.process.pid}/statm").read_text(encoding="ascii")
        return int(text.split()[1]) * os.sysconf("SC_PAGE_SIZE")


def actions(balancer: Discovering) -> Iterator[tuple[str, Callable[[], object]]]:
    """
    Yield what is done, one after the other.
    """
    count = balancer.shape.hosts
    hosts = balancer.some(count)
    yield f"{count:,} hosts appear", lambda: balancer.change(hosts)
    yield "nothing changes", lambda: time.sleep(1.0)
    one = {**hosts, **balancer.some(1, weight=7)}
    yield "one weight changes", lambda: balancer.change(one)
    more = {**one, **balancer.some(1, first=count)}
    yield "one host comes", lambda: balancer.change(more)
    yield "one host goes", lambda: balancer.change(one)
    half = {**one, **balancer.some(count // 2, weight=5)}
    yield "half of the weights change", lambda: balancer.change(half)
    replaced = balancer.some(count, first=count // 2)
    yield "half of the hosts are replaced", lambda: balancer.change(replaced)
    few = balancer.some(count // 10, first=count // 2)
    yield "nine of ten hosts go", lambda: balancer.change(few)


def measured(hosts: int, kind: type[FileRegistry | EtcdRegistry]) -> Iterator[tuple[Seen, int]]:
    """
    Start a balancer, and measure each action.
    """
    with tempfile.TemporaryDirectory(prefix="txlb-bench") as name:
        folder = Path(name)
        port = freePort()
        server = Hosts(("0.0.0.0", port), Echo)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        registry = kind(folder)
        try:
            balancer = Discovering(folder, hosts, port, registry)
            try:
                # Clients have a host from the beginning.
                balancer.change(balancer.some(1))
                for title, action in actions(balancer):
                    seen = balancer.measure(title, action)
                    balancer.waitUntilRight()
                    yield seen, balancer.memory
            finally:
                balancer.stop()
        finally:
            registry.stop()
            server.shutdown()
            server.server_close()


def main(arguments: list[str]) -> int:
    """
    Measure, and print a table.

    @return: the exit status: 0 if the change of one host was live within L{LIVE}, nothing held the
        reactor for longer than L{MOST}, and no request failed.
    """
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.discovery",
        description="Measure how soon changes of found hosts are live, and what clients see.",
    )
    parser.add_argument("--hosts", type=int, default=10_000, help="how many (default: %(default)s)")
    parser.add_argument("--from", dest="source", choices=("file", "etcd"), help="only this source")
    options = parser.parse_args(arguments)
    machine.raiseDescriptorLimit()
    right = True
    for kind in (FileRegistry, EtcdRegistry):
        if options.source not in {None, kind.name}:
            continue
        print(f"{options.hosts:,} hosts in {SERVICES * GROUPS} groups, by {kind.name}")
        print(f"  {'':<34}{'live':>9}{'held':>9}{'p99':>9}{'longest':>9}  (ms){'memory':>9} (MiB)")
        for seen, memory in measured(options.hosts, kind):
            figures = "".join(
                f"{1000 * each:>9.1f}" for each in (seen.took, seen.held, seen.late, seen.most)
            )
            late = seen.took > LIVE and seen.name.startswith("one ")
            told = "  too late" if late else ""
            told += "  too long" if seen.held > MOST else ""
            told += f"  {seen.failed} requests failed" if seen.failed else ""
            print(f"  {seen.name:<34}{figures}      {memory / 2**20:>9.1f}{told}", flush=True)
            right = right and not told
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
