"""
The application that benchmarks.clones clones: it answers the requests of the benchmarks'
clients, and one for the name of the clone. The environment says how: PORT, CLONES, FOLDER,
SHARING, and a file for TIMES if there is one.
"""

import os
import time

from twisted.application import service
from twisted.internet.protocol import Factory, Protocol

from benchmarks.clones.content import part
from benchmarks.traffic import ANSWER, END, REQUEST, bulkHead
from txlb.cloning import CloningService, whoAmI
from txlb.cloning._clone import Clone

CHUNK = 262_144


class Answering(Protocol):
    """
    Answers small requests, and those for many bytes.
    """

    def __init__(self):
        self.data = b""
        self.sent = self.left = 0

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
            elif request.startswith(b"GET /name "):
                self.transport.write(whoAmI().name.encode().ljust(8))
            else:
                self.sent, self.left = 0, int(request.split()[1].rpartition(b"/")[2])
                self.transport.write(bulkHead(self.left))
                self.transport.registerProducer(self, streaming=False)

    def resumeProducing(self):
        """
        Send the next part of many bytes.
        """
        count = min(self.left, CHUNK)
        self.transport.write(part(self.sent, count))
        self.sent += count
        self.left -= count
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
    sharing=os.environ["SHARING"],
).setServiceParent(application)
