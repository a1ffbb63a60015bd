"""
Members of etcd that tests start. C{TXLB_ETCD} in the environment is the path of another etcd than
the installed one; its C{etcdctl} is beside it.
"""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

from tests.integration.programs import Program
from tests.integration.support import IntegrationTestCase, freePorts

#: The programs.
ETCD = os.environ.get("TXLB_ETCD", "etcd")
ETCDCTL = str(Path(ETCD).with_name("etcdctl"))


class Etcd:
    """
    A cluster of etcd on the loopback interface.

    @param case: the test. It stops the members at its end.
    @param count: the number of members.
    @param options: more options of each member.
    @param scheme: C{https} if the options have certificates.
    """

    def __init__(
        self,
        case: IntegrationTestCase,
        count: int = 1,
        *options: str,
        scheme: str = "http",
    ) -> None:
        case.need(ETCD)
        self._case = case
        self._options, self._scheme = options, scheme
        ports = freePorts(2 * count)
        self.ports, self._peers = ports[:count], ports[count:]
        self.members: list[Program] = []
        self.startAll()

    def startAll(self) -> None:
        """
        Start all members, and wait until they serve.
        """
        self.members = [self.start(number) for number in range(len(self.ports))]
        for each in self.members:
            each.waitFor("ready to serve client requests")

    @property
    def url(self) -> str:
        """
        The URLs of the members.
        """
        return " ".join(f"{self._scheme}://127.0.0.1:{port}" for port in self.ports)

    def start(self, number: int) -> Program:
        """
        Start a member with what it has on disk.
        """
        cluster = ",".join(
            f"m{each}=http://127.0.0.1:{peer}" for each, peer in enumerate(self._peers)
        )
        client = f"{self._scheme}://127.0.0.1:{self.ports[number]}"
        peer = f"http://127.0.0.1:{self._peers[number]}"
        return self._case.start(
            ETCD,
            f"--name=m{number}",
            f"--data-dir={self._case.folder / f'm{number}'}",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster={cluster}",
            "--heartbeat-interval=50",
            "--election-timeout=500",
            *self._options,
        )

    def kill(self, number: int = 0) -> None:
        """
        Kill a member.
        """
        self.members[number].stop(signal.SIGKILL)

    def restart(self, number: int = 0) -> None:
        """
        Start a member again that was killed.
        """
        self.members[number] = self.start(number)
        self.members[number].waitFor("ready to serve client requests")

    def forget(self, number: int = 0) -> None:
        """
        Remove what a killed member has on disk.
        """
        shutil.rmtree(self._case.folder / f"m{number}")
