"""
The context for connections to hosts, and their sessions.
"""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from typing import Any

from OpenSSL import SSL
from service_identity import CertificateError as NoSANError
from service_identity import VerificationError
from service_identity.pyopenssl import verify_hostname, verify_ip_address

from txlb.errors import CertificateError
from txlb.model import HostTLS
from txlb.tls._contexts import clientContext, ownCertificate, whyRefused
from txlb.tls._slowsteps import SlowSteps

#: Sessions that are kept, one for each name and address.
MOST_SESSIONS = 4096


class ClientContext:
    """
    The context for connections to the hosts with the same settings. Making one takes some
    milliseconds.

    The check of a host's certificate is part of its session, and a resumed session has no
    other check. So a session is kept with the name that was verified, and with the context
    that has the authorities.

    @param settings: the settings, those of the group included.
    @param slowSteps: the threads for handshakes that take long; by default some of its own.
    @raise CertificateError: a file that they name can't be used.

    @ivar isSlow: whether a handshake takes more than a millisecond, as the balancer shows a
        certificate with a large key.
    """

    def __init__(self, settings: HostTLS, slowSteps: SlowSteps | None = None) -> None:
        path = settings.clientCertificate
        own = None if path is None else ownCertificate(path)
        self.settings = settings
        self.context: SSL.Context = clientContext(settings, own)
        self.isSlow = own is not None and own.isSlow
        self._slowSteps = SlowSteps() if slowSteps is None else slowSteps
        self._sessions: OrderedDict[tuple[str, object], SSL.Session] = OrderedDict()

    def nameOf(self, host: str) -> str:
        """
        Find the name that a host's certificate has to have.

        @param host: the host as it is configured. A UNIX socket is C{localhost}.
        """
        if self.settings.serverName is None and host.startswith("unix:"):
            return "localhost"
        # A zone means something on this machine only, and a dot at the end is for look-ups.
        return (self.settings.serverName or host.partition("%")[0]).removesuffix(".")

    def connect(self, name: str, place: object) -> SSL.Connection:
        """
        Make the TLS side of a new connection.

        @param name: the name that the certificate has to have.
        @param place: the address of the host.
        """
        connection = SSL.Connection(self.context, None)
        connection.set_connect_state()
        if not _isAddress(name):
            # RFC 6066, section 3: a literal address is no name to ask for.
            connection.set_tlsext_host_name(name.encode("ascii"))
        session = self._sessions.get((name, place))
        if session is not None:
            connection.set_session(session)
        return connection

    def inThread(
        self, reactor: Any
    ) -> Callable[[Callable[[], Any], Callable[[Any], None]], None] | None:
        """
        Return what does a step of a handshake in a thread, see L{SlowSteps.run}.

        @return: L{None} if steps are short.
        """
        return partial(self._slowSteps.run, reactor) if self.isSlow else None

    def verify(self, connection: SSL.Connection, name: str) -> None:
        """
        Verify that the certificate of a host is for its name. OpenSSL has verified the chain.

        @raise CertificateError: it is not, and why.
        """
        if not self.settings.verifies:
            return
        try:
            if _isAddress(name):
                verify_ip_address(connection, name)
            else:
                verify_hostname(connection, name)
        except VerificationError:
            raise CertificateError(f"its certificate is not for {name}") from None
        except NoSANError:
            raise CertificateError(
                f"its certificate names no server by the extension for alternative names, so it "
                f"is not for {name}"
            ) from None

    def explain(self, connection: SSL.Connection, reason: str) -> str:
        """
        Say why OpenSSL has refused a host.

        @param reason: what it says itself.
        """
        return whyRefused(connection) or reason

    def keep(self, connection: SSL.Connection, name: str, place: object) -> None:
        """
        Keep the session of a connection, which ends, for the next one. With TLS 1.3 it is
        there only after the host's first bytes.
        """
        session = connection.get_session()
        if session is not None:
            key = (name, place)
            self._sessions[key] = session
            self._sessions.move_to_end(key)
            if len(self._sessions) > MOST_SESSIONS:
                self._sessions.popitem(last=False)


def _isAddress(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
