"""
Faults of the processes of an upgrade, for C{python -m benchmarks.upgrades --faults}. The command
line of the balancer imports this module, so that its successors do as well.

The file that C{TXLB_FAULTS} names says what happens: C{old} or C{new} for the process,
C{sends} or C{gets}, the name of a message of L{txlb.wire}, the number of this message of its kind,
and what it does then. Several lines may do so. It is read at each message.
"""

from __future__ import annotations

import errno
import os
import resource
import signal
import socket
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from txlb.upgrade import Channel, _predecessor, _successor
from txlb.wire import UpgradeMessage

#: The variable.
VARIABLE = "TXLB_FAULTS"

#: Seconds of a process that is slow, and descriptors that one may still open that is poor.
SLOW, FEW = 1.0, 20


class FaultyChannel(Channel):
    """
    A channel whose process has faults.
    """

    isOld = False

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self._counts: Counter[tuple[str, str]] = Counter()

    @classmethod
    def pair(cls) -> tuple[Channel, socket.socket]:
        channel, theirs = super().pair()
        assert isinstance(channel, cls)
        channel.isOld = True
        return channel, theirs

    def trySend(self, message: UpgradeMessage, descriptors: Sequence[int] = ()) -> bool:
        if self._fails("sends", message):
            self._sock.send(b'["Ready"')
            return True
        sent = super().trySend(message, descriptors)
        if not sent:
            # It is tried again.
            self._counts["sends", type(message).__name__] -= 1
        return sent

    def tryReceive(self) -> tuple[UpgradeMessage, list[int]] | None:
        found = super().tryReceive()
        if found is not None:
            self._fails("gets", found[0])
        return found

    def _fails(self, way: str, message: UpgradeMessage) -> bool:
        """
        Do what the file says.

        @return: whether other bytes are to be sent.
        """
        kind = type(message).__name__
        self._counts[way, kind] += 1
        wanted = ["old" if self.isOld else "new", way, kind, str(self._counts[way, kind])]
        action = ""
        for line in Path(os.environ[VARIABLE]).read_text("ascii").splitlines():
            *words, does = line.split()
            if words == wanted:
                action = does
        if action == "dies":
            os.kill(os.getpid(), signal.SIGKILL)
        elif action == "hangs":
            time.sleep(3600)
        elif action == "raises":
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        elif action == "slow":
            time.sleep(SLOW)
        elif action == "poor":
            lowest = os.dup(0)
            os.close(lowest)
            most = lowest + FEW
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        return action == "garbage"


def install() -> None:
    """
    Let the upgrades of this process have faults.
    """
    for module in (_predecessor, _successor):
        vars(module)["Channel"] = FaultyChannel


install()
