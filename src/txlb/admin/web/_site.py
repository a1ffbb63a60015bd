"""
The site of the console: its clients, and their bounds.
"""

from __future__ import annotations

from typing import Any

from twisted.web.server import Site

from txlb.admin._log import log
from txlb.admin.login import peerName, sourceOf
from txlb.admin.web._bodies import mostOf
from txlb.admin.web._channel import IDLE, WebChannel
from txlb.admin.web._request import WebRequest
from txlb.admin.web._resource import WebResource
from txlb.deadlines import Deadlines, Throttle

#: Connections at a time, and those of one source.
MOST = 256
MOST_OF_SOURCE = 64


class WebSite(Site):
    """
    The site. Owned by a L{txlb.admin.web._running.Running}.

    @param resource: the console.
    @ivar clients: the connections, in the order in which they last sent something.
    """

    protocol: Any = WebChannel
    noisy = False

    def __init__(self, resource: WebResource, reactor: Any, deadlines: Deadlines) -> None:
        super().__init__(
            resource, WebRequest, timeout=IDLE, reactor=reactor, parsePOSTFormSubmission=False
        )
        self.deadlines = deadlines
        self.console = resource.console
        self.clients: dict[WebChannel, str] = {}
        self._throttle = Throttle(deadlines, _say)
        self._ending = False

    def startFactory(self) -> None:
        """
        Begin. There is no log of requests: commands are logged by their callers' names.
        """

    def stopFactory(self) -> None:
        """
        End.
        """

    def log(self, request: Any) -> None:
        """
        Write nothing.
        """

    def buildProtocol(self, addr: Any) -> Any:
        """
        Take a client. If there are too many, the idle one makes room that has been silent for
        longest; if there is none the new one is closed.
        """
        if self._ending:
            return None
        source = sourceOf(addr)
        own = [each for each, of in self.clients.items() if of == source]
        if len(own) >= MOST_OF_SOURCE and not self._makeRoom(own):
            self.complain(f"{source} has {len(own)} connections already")
            return None
        if len(self.clients) >= MOST and not self._makeRoom(list(self.clients)):
            self.complain(f"there are {len(self.clients)} connections already")
            return None
        channel = super().buildProtocol(addr)
        self.clients[channel] = source
        return channel

    def _makeRoom(self, among: list[WebChannel]) -> bool:
        oldest = next((each for each in among if not each.busy), None)
        if oldest is None:
            return False
        self.gone(oldest)
        if oldest.transport is not None:
            oldest.transport.abortConnection()
        return True

    def active(self, channel: WebChannel) -> None:
        """
        Note that a client has sent something.
        """
        source = self.clients.pop(channel, None)
        if source is not None:
            self.clients[channel] = source

    def gone(self, channel: WebChannel) -> None:
        """
        Forget a client.
        """
        self.clients.pop(channel, None)

    def mostOf(self, request: Any, target: bytes) -> int:
        """
        Return the number of bytes that the body of a request may have.

        @param target: its path.
        """
        return mostOf(request, target, self.console.authority)

    def nameOf(self, channel: WebChannel) -> str:
        """
        Return the name of a client in logs.
        """
        return peerName(channel.getPeer())

    def complain(self, text: str) -> None:
        """
        Log a misdeed of a client. A stream of such lines is thinned out.
        """
        self._throttle.happened(text)

    def end(self) -> None:
        """
        Take no more clients, and drop those that are there.
        """
        self._ending = True
        for channel in tuple(self.clients):
            if channel.transport is not None:
                channel.transport.abortConnection()
        self._throttle.flush()


def _say(times: int, text: str) -> None:
    log.warn("the console: {text} ({times} such times)", text=text, times=times)
