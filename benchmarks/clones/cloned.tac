"""
The application that benchmarks.clones clones: it answers the requests of the benchmarks'
clients. The environment says how: PORT, CLONES, FOLDER, and a file for TIMES if there is
one.
"""

import os
import time

from twisted.application import service
from twisted.internet.protocol import Factory, Protocol

from benchmarks.traffic import ANSWER, END, REQUEST, bulkHead
from txlb.cloning import CloningService
from txlb.cloning._clone import Clone

CHUNK = bytes(262144)


class Answering(Protocol):
    """
    Answers small requests, and those for many bytes.
    """

    def __init__(self):
        self.data = b""
        self.left = 0

    def connectionMade(self):
        """
        Send without delay, as the clients of the benchmarks expect.
        """
        self.transport.setTcpNoDelay(True)

    def dataReceived(self, data):
        """
        Answer the requests that are complete.
        """
        self.data += data
        while END in self.data:
            request, _, self.data = self.data.partition(END)
            if request + END == REQUEST:
                self.transport.write(ANSWER)
            else:
                self.left = int(request.split()[1].rpartition(b"/")[2])
                self.transport.write(bulkHead(self.left))
                self.transport.registerProducer(self, streaming=False)

    def resumeProducing(self):
        """
        Send the next part of many bytes.
        """
        self.transport.write(CHUNK[: self.left])
        self.left -= min(self.left, len(CHUNK))
        if not self.left:
            self.transport.unregisterProducer()

    def stopProducing(self):
        """
        Do nothing: the client is gone.
        """


if TIMES := os.environ.get("TIMES"):
    # Notes each permit: when it came, and from which manager.
    TIMES = os.open(TIMES, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    granted = Clone._granted

    def noting(clone, grant):
        """
        Note a permit.
        """
        granted(clone, grant)
        if grant.count:
            os.write(TIMES, b"%d %.6f\n" % (clone._link.pid, time.monotonic()))

    Clone._granted = noting

application = service.Application("cloned")
CloningService(
    f"tcp:{os.environ['PORT']}:interface=127.0.0.1",
    Factory.forProtocol(Answering),
    processes=int(os.environ["CLONES"]),
    folder=os.environ["FOLDER"],
    standby=bool(os.environ["STANDBY"]),
).setServiceParent(application)
