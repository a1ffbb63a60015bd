"""
The verdicts of a preface.
"""

from __future__ import annotations

from dataclasses import dataclass

from txlb.wire._clienthello import ClientHello
from txlb.wire._proxyheader import ProxyHeader
from txlb.wire._tlsfacts import TLSFacts


@dataclass(frozen=True, slots=True)
class NeedMore:
    """
    The verdict that more bytes are needed.

    @ivar clientAddr: the client's address, if a PROXY header has told it already.
    """

    clientAddr: tuple[str, int] | None = None


@dataclass(slots=True)
class Done:
    """
    The verdict that the preface is complete. It is never changed, but not frozen, as making it
    would take four times as long.

    @ivar clientAddr: the client's address as the preface gives it; L{None} for that of the
        socket.
    @ivar serverName: the name that the client asked for; L{None} if it asked for none.
    @ivar leftover: bytes that came after the PROXY header, and belong to the host or to TLS.
        The ClientHello is among them.
    @ivar alpn: the protocols that the client offers (ALPN), the preferred one first.
    @ivar header: the PROXY header; L{None} if there was none.
    @ivar hello: the ClientHello; L{None} if none was wanted, or if the client speaks no TLS.
    @ivar tls: the TLS session of the client: of the handshake if TLS ends here, else of the
        PROXY header; L{None} if nothing is known of one.
    """

    clientAddr: tuple[str, int] | None = None
    serverName: str | None = None
    leftover: bytes = b""
    alpn: tuple[str, ...] = ()
    header: ProxyHeader | None = None
    hello: ClientHello | None = None
    tls: TLSFacts | None = None

    @property
    def protocol(self) -> str:
        """
        The protocol that was agreed on with the client (ALPN); empty if it is not known.
        """
        if self.tls is not None and self.tls.protocol:
            return self.tls.protocol
        return "" if self.header is None else self.header.alpn or ""


@dataclass(frozen=True, slots=True)
class Reject:
    """
    The verdict that the client must be closed.

    @ivar reason: what is wrong with its bytes.
    @ivar answer: bytes to send before that, such as an alert of TLS.
    """

    reason: str
    answer: bytes = b""
