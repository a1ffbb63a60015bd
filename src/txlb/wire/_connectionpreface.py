"""
All that comes before a connection's own bytes: a PROXY header, then a ClientHello.
"""

from __future__ import annotations

from enum import Enum

from zope.interface import implementer

from txlb.interfaces import IPreface
from txlb.wire._clienthello import (
    MAX_HELLO_RECORDS,
    ClientHello,
    ClientHelloError,
    ClientHelloReader,
    NoTLSError,
)
from txlb.wire._preface import Done, NeedMore, Reject
from txlb.wire._proxyheader import (
    MAX_PROXY_HEADER,
    ProxyHeader,
    ProxyHeaderError,
    ProxyHeaderReader,
)


class HeaderRule(Enum):
    """
    Whether a PROXY header comes first.
    """

    #: It has to.
    REQUIRED = "required"
    #: It may.
    OPTIONAL = "optional"
    #: It must not, as the source is not trusted.
    REFUSED = "refused"


@implementer(IPreface)
class ConnectionPreface:
    """
    The preface of one connection.

    A client that may do without a header and a ClientHello is silent if its protocol lets
    the server speak first. It is served after C{timeout}.

    @param timeout: seconds for all of it.
    @param header: whether a PROXY header comes; L{None} for not looking.
    @param versions: the versions of PROXY headers that may come: 1, 2 or both.
    @param wantsHello: whether a ClientHello is read.
    @param plain: whether a client that sends no ClientHello is served as well.
    """

    def __init__(
        self,
        timeout: float,
        header: HeaderRule | None = None,
        versions: frozenset[int] = frozenset((1, 2)),
        *,
        wantsHello: bool = False,
        plain: bool = False,
    ) -> None:
        self.timeout = timeout
        self.maxBytes = 0
        self._rule = header
        self._plain = plain
        self._headerReader: ProxyHeaderReader | None = None
        self._helloReader: ClientHelloReader | None = None
        self._header: ProxyHeader | None = None
        if header is not None:
            self._headerReader = ProxyHeaderReader(versions)
            self.maxBytes += MAX_PROXY_HEADER
        if wantsHello:
            self._helloReader = ClientHelloReader()
            self.maxBytes += MAX_HELLO_RECORDS

    def feed(self, data: bytes) -> NeedMore | Done | Reject:
        """
        Take the next bytes. See L{IPreface.feed}.
        """
        reader = self._headerReader
        if reader is None:
            return self._readHello(data)
        if self._rule is HeaderRule.REFUSED:
            reader.append(data)
            if reader.isHeader:
                return Reject("it sends a PROXY header and is not trusted")
            if reader.mayBeHeader:
                return NeedMore()
        else:
            try:
                self._header = reader.feed(data)
            except ProxyHeaderError as error:
                # Bytes that are no header are those of a client that needs none.
                if self._rule is HeaderRule.REQUIRED or reader.mayBeHeader:
                    return Reject(str(error))
            else:
                if self._header is None:
                    return NeedMore()
        self._headerReader = None
        return self._readHello(reader.data)

    def _readHello(self, data: bytes) -> NeedMore | Done | Reject:
        reader = self._helloReader
        if reader is None:
            return self._done(data)
        try:
            hello = reader.feed(data)
        except NoTLSError:
            return self._withoutTLS("it speaks no TLS")
        except ClientHelloError as error:
            return Reject(str(error), error.alert.record)
        if hello is None:
            header = self._header
            return NeedMore(None if header is None else header.clientAddr)
        return self._done(bytes(reader.data), hello)

    def _withoutTLS(self, reason: str) -> Done | Reject:
        header, reader = self._header, self._helloReader
        known = header is not None and header.authority is not None
        # If the name is known TLS has ended before, and the rest of it is plain.
        if reader is None or known or self._plain:
            return self._done(b"" if reader is None else bytes(reader.data))
        return Reject(reason)

    def end(self, reason: str) -> Done | Reject:
        """
        Decide without more bytes. See L{IPreface.end}.
        """
        reader = self._headerReader
        if reader is not None:
            if self._rule is HeaderRule.REQUIRED or reader.data:
                return Reject(reason)
        elif self._helloReader is not None and self._helloReader.data:
            return Reject(reason)
        return self._withoutTLS(reason)

    def _done(self, leftover: bytes, hello: ClientHello | None = None) -> Done:
        header = self._header
        name = None if hello is None else hello.serverName
        alpn = () if hello is None else hello.alpn
        if header is None:
            return Done(None, name, leftover, alpn, hello=hello)
        if hello is None:
            name = header.authority
            alpn = () if header.alpn is None else (header.alpn,)
        return Done(header.clientAddr, name, leftover, alpn, header, hello, header.tls)
