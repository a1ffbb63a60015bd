"""
Checks of the names and the origins of requests.

A page of another site must not reach the console through the browser of an administrator. It
could have a name of its own resolve to the address of the console (DNS rebinding): so the
C{Host} of a request has to be a name of the console. It could send a request along with the
cookie (CSRF): so a change has to come from a page of the console.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Iterable
from typing import Any

from txlb.admin.login import clientHost
from txlb.admin.web._problem import Refusal

_HOST = re.compile(r"(\[[0-9A-Fa-f:.%]+\]|[^\[\]:/@?#\s]+)(?::(\d{1,5}))?")

#: The names of this machine for itself.
LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


def machineNames() -> frozenset[str]:
    """
    Return the names of this machine, as the system knows them without a look into DNS.
    """
    name = socket.gethostname().lower()
    return frozenset({name, name.partition(".")[0]}) - {""}


class Guard:
    """
    The checks of one console.

    @param names: the names by which it may be asked for; empty for its addresses, C{localhost}
        and the names of the machine.
    @param needsTLS: whether clients of other machines have to come by TLS.
    """

    def __init__(self, names: Iterable[str] = (), needsTLS: bool = False) -> None:
        self._needsTLS = needsTLS
        given = frozenset(_bare(name) for name in names)
        self._names = given
        self._machine = frozenset() if given else LOCAL_NAMES | machineNames()

    def checkHost(self, request: Any) -> None:
        """
        Refuse a request for another server.

        @raise Refusal: it is one.
        """
        if self._needsTLS and not request.isSecure() and not _isLocal(request.client):
            raise Refusal(
                403,
                "without TLS the web console is for clients of this machine alone, as passwords "
                "would be readable on the network",
            )
        values = request.requestHeaders.getRawHeaders(b"host") or []
        text = values[0].decode("latin-1") if len(values) == 1 else ""
        match = _HOST.fullmatch(text)
        if match is None:
            raise Refusal(400, "the request needs one Host, the name of the server")
        name = _bare(match[1])
        if name in self._names or name in self._machine:
            return
        # An address is no name that DNS could turn elsewhere. That of another one is still
        # meant for something else.
        if not self._names and name == clientHost(request.getHost()):
            return
        raise Refusal(
            421,
            f"this console is not called {name[:80]!r}; if it is, add the name to hostNames of "
            "<web>",
        )

    def checkOrigin(self, request: Any, strict: bool) -> None:
        """
        Refuse a change that a page of another site asks for.

        @param strict: whether one of the headers has to be there, as browsers send them.
        @raise Refusal: it is one, or may be.
        """
        headers = request.requestHeaders
        site = headers.getRawHeaders(b"sec-fetch-site")
        origin = headers.getRawHeaders(b"origin")
        if site is not None:
            if site == [b"same-origin"]:
                return
            raise Refusal(403, "a page of another site has asked for this; nothing was done")
        if origin is not None:
            scheme = b"https" if request.isSecure() else b"http"
            host = (headers.getRawHeaders(b"host") or [b""])[0]
            if origin == [scheme + b"://" + host]:
                return
            raise Refusal(403, "a page of another site has asked for this; nothing was done")
        if strict:
            raise Refusal(
                403,
                "a change by a session needs Sec-Fetch-Site or Origin, which browsers send; "
                "programs use a token",
            )


def _isLocal(address: object) -> bool:
    host = clientHost(address)
    return host is None or ipaddress.ip_address(host.partition("%")[0]).is_loopback


def _bare(name: str) -> str:
    """
    Return a name or an address in the one spelling that is compared.
    """
    bare = name.strip("[]").lower().removesuffix(".")
    try:
        return str(ipaddress.ip_address(bare.partition("%")[0]))
    except ValueError:
        return bare
