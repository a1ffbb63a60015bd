"""
A host for L{benchmarks.shares}: it takes connections, an agent says what its process has
left, and it can be kept busy for a while. It ends when its standard input does.

    python -m benchmarks.busyhost ADDRESS PORT AGENTPORT
"""

from __future__ import annotations

import sys
import time
from typing import Any

from twisted.internet import stdio
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.task import LoopingCall
from twisted.protocols.basic import LineReceiver
from twisted.python.failure import Failure

from txlb.resources import AgentService

#: Seconds of one piece of work while the process is kept busy, seconds from the beginning of one
#: to that of the next, and seconds after which the process always ends.
WORK, PACE, LONGEST = 0.2, 0.21, 60.0


class Control(LineReceiver):
    """
    Obeys C{burn} and C{rest}.
    """

    delimiter = b"\n"

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._burner = LoopingCall(self._burn)
        self._until = 0.0

    def connectionMade(self) -> None:
        """
        Say that all is there.
        """
        transport: Any = self.transport
        transport.write(b"ready\n")

    def lineReceived(self, line: bytes) -> None:
        """
        Begin or end to be busy.
        """
        if line == b"burn" and not self._burner.running:
            self._until = time.monotonic() + LONGEST
            self._burner.start(PACE)
        elif line == b"rest" and self._burner.running:
            self._burner.stop()

    def _burn(self) -> None:
        now = time.monotonic()
        if now > self._until:
            self._burner.stop()
        while time.monotonic() < now + WORK:
            pass

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        End.
        """
        self._reactor.stop()


def main(address: str, port: str, agentPort: str) -> None:
    """
    Be the host.
    """
    from twisted.internet import reactor as installed  # noqa: PLC0415

    reactor: Any = installed
    reactor.listenTCP(int(port), Factory.forProtocol(Protocol), 4096, address)
    agent = AgentService(f"{address}:{agentPort}", scope="process", interval=0.5)
    agent.startService()
    stdio.StandardIO(Control(reactor), reactor=reactor)
    reactor.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
