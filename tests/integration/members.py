"""
Members of a cluster of balancers that tests start: machines with a balancer and a member of etcd
each.
"""

from __future__ import annotations

import json
import os
import signal
from contextlib import suppress
from typing import Any

from tests.cluster.history import Write
from tests.integration.etcds import ETCD
from tests.integration.programs import ROOT, Program, waitUntil
from tests.integration.support import Machine
from txlb.cli._client import Client
from txlb.cli._command import Failed
from txlb.clients._etcd import encoded, keyValue, prefixEnd

CONFIG = ROOT / "examples" / "machines" / "config.xml"

#: The settings of the member of etcd of the first machine.
ETCD_FILE = ROOT / "examples" / "machines" / "etcd"

#: The service, the group and the host of the file whose weight is changed.
SERVICE, GROUP, HOST = "web", "production", "app1"

#: What the keys of the cluster of the file begin with.
PREFIX = "txlb-clusters/web/"

#: What is known of a cluster by a member that does not answer.
NOTHING: dict[str, Any] = {"leads": False, "connected": False, "leader": "", "trouble": ""}

#: Seconds that an answer may take.
PATIENCE = 10.0


class Member:
    """
    A machine with a balancer and a member of etcd, by the files of C{examples/machines}.

    @param machine: the machine, one of three.
    @param ttl: the time of a lease, as a setting.

    @ivar etcd: its member of etcd.
    @ivar program: its balancer.
    """

    def __init__(self, machine: Machine, ttl: str = "3s") -> None:
        self.machine = machine
        self.name = machine.hostname
        self._ttl = ttl
        self._url = f"http://{machine.back}:2379"
        self.etcd = self.startEtcd()

    def startEtcd(self) -> Program:
        """
        Start the member of etcd, with what it has on disk.
        """
        machine = self.machine
        settings = []
        for line in ETCD_FILE.read_text(encoding="utf-8").splitlines():
            name, isSetting, value = line.partition("=")
            if not isSetting or name.startswith("#"):
                continue
            if name == "ETCD_DATA_DIR":
                value = str(machine.folder / "etcd")
            elif name != "ETCD_INITIAL_CLUSTER":
                value = value.replace("machine1", self.name).replace(_back(1), machine.back)
            settings.append(f"{name}={value}")
        self.etcd = machine.start("env", *settings, ETCD)
        return self.etcd

    def startBalancer(self) -> None:
        """
        Start the balancer.
        """
        config = CONFIG.read_text(encoding="utf-8")
        config = config.replace('ttl="3s"', f'ttl="{self._ttl}"')
        self.program = self.machine.startTxlb(self.machine.withSocket(config))

    def rows(self, command: str, **values: str) -> list[dict[str, Any]] | None:
        """
        Ask the balancer.

        @return: its answer; L{None} if it has none, or refuses.
        """
        with suppress(Failed), Client(self.machine.control, PATIENCE) as client:
            return client.rows(command, **values)
        return None

    @property
    def cluster(self) -> dict[str, Any]:
        """
        The cluster as this member knows it.
        """
        rows = self.rows("Cluster")
        return rows[0] if rows else NOTHING

    @property
    def leads(self) -> bool:
        """
        Whether it is the leader for sure.
        """
        return bool(self.cluster["leads"])

    @property
    def connected(self) -> bool:
        """
        Whether it is in the cluster for sure.
        """
        return bool(self.cluster["connected"])

    @property
    def weight(self) -> int:
        """
        The weight of the host; -1 if the balancer does not answer.
        """
        for row in self.rows("Status") or ():
            if row["row"] == "host" and row["name"] == HOST:
                return int(row["weight"])
        return -1

    def weigh(self, weight: int, host: str = HOST) -> bool:
        """
        Change the weight of a host.

        @return: whether the change was made.
        """
        where = {"service": SERVICE, "group": GROUP, "host": host}
        return self.rows("SetWeight", **where, weight=str(weight)) is not None

    # Troubles

    def pause(self) -> None:
        """
        Stop the process of the balancer for a while.
        """
        os.kill(self.program.process.pid, signal.SIGSTOP)

    def goOn(self) -> None:
        """
        Let the process go on.
        """
        os.kill(self.program.process.pid, signal.SIGCONT)

    def kill(self) -> None:
        """
        Kill the balancer.
        """
        self.program.stop(signal.SIGKILL)

    def killEtcd(self) -> None:
        """
        Kill the member of etcd.
        """
        self.etcd.stop(signal.SIGKILL)

    def pauseEtcd(self) -> None:
        """
        Stop the process of the member of etcd for a while.
        """
        os.kill(self.etcd.process.pid, signal.SIGSTOP)

    def etcdGoesOn(self) -> None:
        """
        Let the process go on.
        """
        os.kill(self.etcd.process.pid, signal.SIGCONT)

    # etcd itself

    def leadEtcd(self, members: list[Member]) -> None:
        """
        Let its member of etcd be the leader of etcd.

        @param members: all members.
        """

        def isSo() -> bool:
            mine = self._post("maintenance/status", {}) or {}
            found = mine.get("header", {}).get("member_id")
            if found and mine.get("leader") == found:
                return True
            for each in members:
                # All but the leader refuse.
                if each is not self:
                    each._post("maintenance/transfer-leadership", {"targetID": found})
            return False

        waitUntil(isSo)

    def _post(self, path: str, body: dict[str, Any]) -> Any:
        program = self._curl(path, body, "--max-time", "10")
        program.process.wait(20)
        return json.loads(program.output) if program.output else None

    def _curl(self, path: str, body: dict[str, Any], *options: str) -> Program:
        url = f"{self._url}/v3/{path}"
        return self.machine.start(
            *("curl", "--silent", "--no-buffer", *options, "--data", json.dumps(body), url)
        )

    def writes(self) -> list[Write]:
        """
        List all that was written to etcd for the cluster, from etcd's own history.
        """
        # The last one, so that the end of the history is known.
        put = self._post("kv/put", {"key": encoded(f"{PREFIX}end"), "value": ""})
        last = int(put["header"]["revision"])
        watched = {"key": encoded(PREFIX), "range_end": prefixEnd(PREFIX), "start_revision": "1"}
        watch = self._curl("watch", {"create_request": watched})
        watch.waitFor(f'"mod_revision":"{last}"')
        found: list[Write] = []
        for line in watch.output.splitlines():
            # The last line may not be whole, after that of the last write.
            if found and found[-1][0] >= last:
                break
            for each in json.loads(line)["result"].get("events", ()):
                kv = keyValue(each["kv"])
                value = kv.value if each.get("type", "PUT") == "PUT" else None
                found.append((kv.modified, kv.key.removeprefix(PREFIX), value, kv.created))
        watch.stop()
        return found


def _back(number: int) -> str:
    return f"198.51.100.{number}"
