"""
The application that benchmarks.clones clones: it answers the requests of the benchmarks'
clients. The environment says how: PORT, CLONES, FOLDER.
"""

import os

from twisted.application import service
from twisted.internet.protocol import Factory, Protocol

from benchmarks.traffic import ANSWER, END, REQUEST, bulkHead
from txlb.cloning import CloningService

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


application = service.Application("cloned")
CloningService(
    f"tcp:{os.environ['PORT']}:interface=127.0.0.1",
    Factory.forProtocol(Answering),
    processes=int(os.environ["CLONES"]),
    folder=os.environ["FOLDER"],
    standby=bool(os.environ["STANDBY"]),
).setServiceParent(application)
