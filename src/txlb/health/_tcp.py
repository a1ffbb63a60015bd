"""
Checks that connect: by TCP or to a UNIX socket, and by TLS.
"""

from __future__ import annotations

import functools
import os
import ssl
from collections.abc import Mapping
from typing import Any

from twisted.internet.defer import Deferred
from zope.interface import implementer

from txlb.errors import ModelError
from txlb.health._checkconnection import CheckConnection, Conversation
from txlb.health._kind import CheckKind
from txlb.health._target import Target
from txlb.health._tools import Tools
from txlb.health._verdict import Verdict
from txlb.interfaces import IHealthCheck
from txlb.model import HostTLS
from txlb.model.kinds import Boolean
from txlb.model.options import Option, Text


@implementer(IHealthCheck)
class ConversationCheck:
    """
    A check that is a conversation over one connection. A subclass overrides L{talk}.

    @param options: the values of the options of its kind.
    @param tools: run the conversation.
    """

    #: Whether it speaks TLS by its own options, and not as the host is configured.
    ownTLS = False

    def __init__(self, options: Mapping[str, Any], tools: Tools) -> None:
        self._sockets = tools.sockets

    def check(self, target: Target) -> Deferred[Verdict]:
        tls = None if target.tls is None or self.ownTLS else hostTLS(target.tls, target.name)
        connection = CheckConnection(
            target.address, target.header, target.others, target.timeout, tls
        )
        return self._sockets.run(connection, self.talk(connection, target))

    def talk(self, connection: CheckConnection, target: Target) -> Conversation:
        """
        Yield the steps of the check, and return its L{Verdict}.

        @raise NotImplementedError: the subclass does not override this.
        """
        raise NotImplementedError


class TCPCheck(ConversationCheck):
    """
    A check that passes if the host accepts a connection. The connection is reset then, as in
    HAProxy, so that neither side keeps state of it.
    """

    def talk(self, connection: CheckConnection, target: Target) -> Conversation:
        yield from connection.connect()
        connection.resetAtEnd()
        return CONNECTED


CONNECTED = Verdict(True, "connected")


class TLSCheck(ConversationCheck):
    """
    A check that passes if the TLS handshake succeeds.
    """

    ownTLS = True

    def __init__(self, options: Mapping[str, Any], tools: Tools) -> None:
        super().__init__(options, tools)
        self._tls = TLSOptions(options)

    def talk(self, connection: CheckConnection, target: Target) -> Conversation:
        yield from connection.connect()
        yield from self._tls.secure(connection, target)
        return Verdict(True, "the TLS handshake is done")


class TLSOptions:
    """
    The settings of TLS for a check.

    @raise ModelError: the file of authorities can't be used.
    """

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._serverName: str | None = options["serverName"]
        self._context = tlsContext(options["verify"], options["caFile"])

    def secure(self, connection: CheckConnection, target: Target) -> Any:
        """
        Return the steps of the TLS handshake.
        """
        return connection.secure(self._context, self._serverName or target.name)


def hostTLS(settings: HostTLS, host: str) -> tuple[ssl.SSLContext, str]:
    """
    Make the context and the name for TLS with a host as it is configured.

    @param host: the host as it is configured.
    @raise ModelError: a file can't be used.
    """
    changed = 0
    path = settings.clientCertificate
    try:
        for each in (settings.ca, path):
            # A file that was replaced is read anew.
            changed += 0 if each is None else os.stat(each).st_mtime_ns
        return _hostContext(settings, changed), settings.serverName or host
    except (OSError, ssl.SSLError) as error:
        raise ModelError(f"TLS with {host} can't be set up: {error}") from None


@functools.lru_cache(32)
def _hostContext(settings: HostTLS, _changed: int) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if not settings.verifies:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif settings.ca is None:
        context.load_default_certs()
    else:
        context.load_verify_locations(settings.ca)
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    if settings.clientCertificate is not None:
        context.load_cert_chain(settings.clientCertificate)
    if settings.alpn:
        context.set_alpn_protocols(list(settings.alpn))
    if settings.minTLSVersion == "1.3":
        context.minimum_version = ssl.TLSVersion.TLSv1_3
    return context


def tlsContext(verify: bool, caFile: str | None) -> ssl.SSLContext:
    """
    Make the context of TLS clients. Hosts with the same settings share one, as reading the
    authorities takes tens of milliseconds.

    @param verify: whether chain and name have to be right.
    @param caFile: a PEM file of authorities instead of the system's.
    @raise ModelError: the file can't be used.
    """
    changed = 0
    try:
        if caFile is not None:
            # A file that was replaced is read anew.
            changed = os.stat(caFile).st_mtime_ns
        return _tlsContext(verify, caFile, changed)
    except OSError as error:
        raise ModelError(
            f"caFile {caFile!r} can't be used ({error.strerror or error}); it is a file of "
            "certificates in PEM"
        ) from None


@functools.lru_cache(32)
def _tlsContext(verify: bool, caFile: str | None, _changed: int) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif caFile is None:
        context.load_default_certs()
    else:
        context.load_verify_locations(caFile)
    return context


VERIFY = Option(
    "verify",
    Boolean(),
    "Whether the certificate's chain, dates and name have to be right.",
    True,
)
SERVER_NAME = Option(
    "serverName",
    Text(r"[A-Za-z0-9._:-]{1,253}", "a host name or an IP address"),
    "The name that is asked for (SNI) and that the certificate has to have.",
    defaultDoc="the host as it is configured",
)
CA_FILE = Option(
    "caFile",
    Text(r"[^\0]+", "the absolute path of a PEM file"),
    "A PEM file of the authorities that are trusted, by an absolute path.",
    defaultDoc="the system's",
)

TCP = CheckKind(
    "tcp",
    "Connects, and no more. A host whose process is stopped or stuck still passes, as its kernel "
    "accepts for it.",
    TCPCheck,
)
TLS = CheckKind(
    "tls",
    "Connects and does a TLS handshake.",
    TLSCheck,
    (VERIFY, SERVER_NAME, CA_FILE),
)
