"""
An ordinary user, whose pipes are used up by other programs.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import threading
import time
from pathlib import Path

from twisted.trial.unittest import SkipTest

from tests.integration.support import (
    IntegrationTestCase,
    RawHost,
    connect,
    cpuSeconds,
    freePorts,
)

CONFIG = """
<config>
  <service name="raw" relay="fast">
    <listen ip="127.0.0.1:{port}"/>
    <group name="hosts" enable="yes"><host name="host" ip="127.0.0.1:{host}"/></group>
  </service>
</config>
"""

#: Holds pipes of a MiB until it is killed. Each counts for the user.
HOLDER = """
import fcntl, os, time
held = [os.pipe() for _ in range({count})]
for _, writer in held:
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 1 << 20)
print("held", flush=True)
time.sleep(600)
"""

MIB = 1 << 20

#: MiB that are relayed.
MUCH = 512

#: Root is bound by no limit; without these two capabilities it is, like any other user.
ORDINARY = ("setpriv", "--bounding-set", "-sys_resource,-sys_admin", "--")


class UsedUpTests(IntegrationTestCase):
    """
    A second balancer of the same user.
    """

    needed = ("setpriv",)

    def setUp(self) -> None:
        super().setUp()
        if os.geteuid():
            raise SkipTest("only root can hold pipes beyond a user's limit, and give up rights")

    def relayed(self, before: tuple[str, ...]) -> tuple[float, str, int]:
        """
        Relay a long answer.

        @return: seconds of CPU, what the balancer has logged, and how many descriptors of
            pipes it holds then.
        """
        (port,) = freePorts(1)
        part = os.urandom(MIB)
        with RawHost() as host:
            program = self.startTxlb(CONFIG.format(port=port, host=host.port), before=before)
            with connect(port) as client, host.accept() as server:
                sender = threading.Thread(target=_send, args=(server, part))
                used = cpuSeconds(program.process.pid)
                sender.start()
                received = 0
                while received < MUCH * MIB:
                    data = client.recv(MIB)
                    self.assertTrue(data, "an early end")
                    at = received % MIB
                    self.assertTrue((part + part)[at : at + len(data)] == data, "other bytes")
                    received += len(data)
                sender.join()
                used = cpuSeconds(program.process.pid) - used
            pipes = _pipesOf(program.process.pid)
        return used, program.output, pipes

    def test_usedUp(self) -> None:
        """
        Bulk is copied, which costs a few times what a large pipe does. Through a pipe of
        8 KiB it cost ten times as much. The log says once why.
        """
        alone, silent, _ = self.relayed(())
        self.assertNotIn("memory for pipes", silent)
        limit = int(Path("/proc/sys/fs/pipe-user-pages-soft").read_text(encoding="ascii"))
        holder = self.write("holder.py", HOLDER.format(count=limit * 4096 // MIB + 2))
        self.start(sys.executable, holder).waitFor("held")
        began = time.monotonic()
        beside, told, pipes = self.relayed(ORDINARY)
        took = time.monotonic() - began
        self.show(
            f"{MUCH} MiB for {alone:.2f} s of CPU, and for {beside:.2f} s with the user's pipes "
            f"used up ({MUCH / took:.0f} MiB a second)"
        )
        self.assertEqual(told.count("this user's memory for pipes is used up"), 1)
        self.assertRegex(told, "the next one holds (4096|8192) bytes")
        # Only what the reactor has to wake itself with.
        self.assertLessEqual(pipes, 4)
        self.assertLess(beside, 5 * alone + 0.5)


def _send(sock: socket.socket, part: bytes) -> None:
    for _ in range(MUCH):
        sock.sendall(part)


def _pipesOf(pid: int) -> int:
    count = 0
    for each in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # it was closed meanwhile
            count += os.readlink(each).startswith("pipe:")
    return count
