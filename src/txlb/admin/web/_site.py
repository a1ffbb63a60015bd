"""
The site of the console: its clients, and their bounds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.web.server import Site

from txlb.admin._log import log
from txlb.admin.login import peerName, sourceOf
from txlb.admin.login._allowance import Allowance
from txlb.admin.web._bodies import mostOf
from txlb.admin.web._channel import IDLE, WebChannel
from txlb.admin.web._request import WebRequest
from txlb.admin.web._resource import WebResource
from txlb.deadlines import Deadlines, Throttle

#: Connections at a time, and those of one source.
MOST = 256
MOST_OF_SOURCE = 64

#: Handshakes of TLS at once, and in a second after them: of one source, and of all together.
HANDSHAKES = 200
HANDSHAKE_RATE = 50.0


class WebSite(Site):
    """
    The site. Owned by a L{txlb.admin.web.WebService}.

    @param resource: the console.
    @param handshakes: whether each connection begins with one of TLS, which takes a millisecond
        or more.
    @ivar giveWay: lets relayed connections go on, between two parts of the work for a client.
    @ivar clients: the connections, in the order in which they last sent something.
    """

    protocol: Any = WebChannel
    noisy = False

    def __init__(
        self, resource: WebResource, reactor: Any, deadlines: Deadlines, handshakes: bool = False
    ) -> None:
        super().__init__(
            resource, WebRequest, timeout=IDLE, reactor=reactor, parsePOSTFormSubmission=False
        )
        self.deadlines = deadlines
        self.console = resource.console
        self.giveWay = self.console.logins.giveWay
        self.clients: dict[WebChannel, str] = {}
        self._throttle = Throttle(deadlines, _say)
        self._handshakes: Allowance | None = None
        if handshakes:
            self._handshakes = Allowance(deadlines.seconds, HANDSHAKES, 1 / HANDSHAKE_RATE)
        self._ending = False
        self._whenGone: Callable[[], object] = _nothing

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
        if not self._mayHandshake(source):
            self.complain(f"{source} and others open too many connections of TLS")
            return None
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

    def _mayHandshake(self, source: str) -> bool:
        """
        Count a handshake, of its source and of all sources.
        """
        if self._handshakes is None:
            return True
        for key in (source, ""):
            if self._handshakes.wait(key) > 0:
                return False
        self._handshakes.take(source)
        self._handshakes.take("")
        return True

    def _makeRoom(self, among: list[WebChannel]) -> bool:
        oldest = next((each for each in among if not each.busy), None)
        if oldest is None:
            return False
        self._drop(oldest)
        return True

    def begins(self, channel: WebChannel) -> None:
        """
        Let a client begin in its turn, as hundreds may come at once. Nothing of it is read before.
        """
        channel.transport.pauseProducing()
        self.console.logins.inTurn(lambda: self._goOn(channel), self.clients.get(channel, ""))

    def _goOn(self, channel: WebChannel) -> None:
        if channel in self.clients:
            channel.transport.resumeProducing()

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
        self._whenGone()

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

    def finish(self, patience: float) -> Deferred[None]:
        """
        Take no more clients, and drop those that are there; answers under way are sent before.

        @param patience: seconds for these answers; 0 for none.
        @return: fires with L{None} when all are gone, or when the time is over. It does not fail.
        """
        self._ending = True
        self.console.streams.stop()
        for channel in tuple(self.clients):
            if not patience:
                self._drop(channel)
            elif channel.busy:
                channel.persistent = 0
            else:
                # An answer may be in the buffers of the connection.
                channel.loseConnection()
        finished: Deferred[None] = Deferred()
        if not self.clients:
            self._finished(finished)
            return finished
        deadline = self.deadlines.after(patience, lambda: self._finished(finished))

        def oneIsGone() -> None:
            if not self.clients:
                deadline.cancel()
                self._finished(finished)

        self._whenGone = oneIsGone
        return finished

    def _finished(self, finished: Deferred[None]) -> None:
        self._whenGone = _nothing
        for channel in tuple(self.clients):
            self._drop(channel)
        self._throttle.flush()
        finished.callback(None)

    def _drop(self, channel: WebChannel) -> None:
        self.gone(channel)
        if channel.transport is not None:
            channel.transport.abortConnection()


def _nothing() -> None:
    """
    Do nothing: the end of no client is waited for.
    """


def _say(times: int, text: str) -> None:
    log.warn("the console: {text} ({times} such times)", text=text, times=times)
