"""
Contexts of OpenSSL.

A context has the certificates, the ciphers, the rules for the certificates of clients, and the
keys of the tickets by which sessions are resumed. It is chosen before the handshake. So a
session is only ever resumed under the rules under which it began: see the decision 0059.
"""

from __future__ import annotations

import os
import secrets
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL
from OpenSSL.crypto import Error, PKey, X509StoreFlags
from twisted.logger import Logger

from txlb.errors import CertificateError
from txlb.model import HostTLS, ListenTLS
from txlb.tls._certificate import Certificate
from txlb.tls._profiles import PROFILES, Profile
from txlb.tls._read import needFile, readCertificates

#: The variable of the environment that names a file for the secrets of all sessions, as curl
#: and browsers know it. With them, anything that has recorded a connection can read it.
KEYLOG = "SSLKEYLOGFILE"

_VERSIONS = {"1.2": SSL.TLS1_2_VERSION, "1.3": SSL.TLS1_3_VERSION}

#: SSL_OP_PRIORITIZE_CHACHA of OpenSSL, for which pyOpenSSL has no name.
_PRIORITIZE_CHACHA = 1 << 21

#: SSL_MODE_NO_AUTO_CHAIN of OpenSSL, likewise.
_NO_AUTO_CHAIN = 8

#: The certificates that the other end may show, one above the other.
_DEPTH = 10

_log = Logger()


def serverContext(settings: ListenTLS, certificates: Sequence[Certificate]) -> SSL.Context:
    """
    Make the context for the names that have these certificates. It takes about a
    millisecond, and more if there are many authorities for clients.

    @param certificates: one of each kind of key.
    @raise CertificateError: OpenSSL refuses a certificate, a key or a file.
    """
    profile = PROFILES[settings.profile]
    context = _newContext(SSL.TLS_SERVER_METHOD, profile, settings.minVersion)
    for certificate in certificates:
        _use(context, certificate)
    # The cheapest cipher that both have, but ChaCha20 for a client that prefers it, as one without
    # instructions for AES does.
    context.set_options(SSL.OP_CIPHER_SERVER_PREFERENCE | _PRIORITIZE_CHACHA)
    # Sessions of this context alone: see above.
    context.set_session_id(secrets.token_bytes(16))
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    if not settings.tickets:
        context.set_options(SSL.OP_NO_TICKET)
    if settings.clientCA is not None:
        _askClients(context, settings, settings.clientCA)
    if settings.alpn:
        ours = [each.encode("ascii") for each in settings.alpn]

        def choose(_connection: SSL.Connection, theirs: list[bytes]) -> Any:
            for each in ours:
                if each in theirs:
                    return each
            return SSL.NO_OVERLAPPING_PROTOCOLS

        context.set_alpn_select_callback(choose)
    return context


def clientContext(settings: HostTLS, own: Certificate | None = None) -> SSL.Context:
    """
    Make the context for connections to hosts. It takes some milliseconds: the authorities of
    the system are about 150.

    @param own: the certificate that is shown to hosts; L{None} for none.
    @raise CertificateError: a file that the settings name can't be used.
    """
    context = _newContext(
        SSL.TLS_CLIENT_METHOD, PROFILES["intermediate"], settings.minTLSVersion or "1.2"
    )
    # Sessions are kept beside the context, by name: OpenSSL marks a session that several
    # connections share as one that can't be resumed.
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    if not settings.verifies:
        context.set_verify(SSL.VERIFY_NONE)
    else:
        context.set_verify(SSL.VERIFY_PEER)
        if settings.ca is None:
            context.set_default_verify_paths()
        else:
            _load(context, settings.ca, "ca")
    if own is not None:
        _use(context, own)
    if settings.alpn:
        context.set_alpn_protos([each.encode("ascii") for each in settings.alpn])
    return context


def _newContext(method: int, profile: Profile, minVersion: str) -> SSL.Context:
    context = SSL.Context(method)
    context.set_min_proto_version(_VERSIONS[minVersion if profile.ciphers else "1.3"])
    if profile.ciphers:
        context.set_cipher_list(profile.ciphers)
    context.set_tls13_ciphersuites(profile.suites)
    context.set_options(SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION)
    context.set_verify_depth(_DEPTH)
    _setPrivately(context, profile)
    path = os.environ.get(KEYLOG)
    if path:
        context.set_keylog_callback(lambda _connection, line: _keep(path, line))
    return context


def _setPrivately(context: SSL.Context, profile: Profile) -> None:
    """
    Set what pyOpenSSL has no method for, by names of its own that may go: see the decision
    0060. Without them OpenSSL has its defaults, which work.
    """
    lib = getattr(SSL, "_lib", None)
    release = getattr(lib, "SSL_MODE_RELEASE_BUFFERS", None)
    if release is not None:
        # A connection that is idle keeps no buffers.
        context.set_mode(release)
    # The chain is that of the certificate's files. Without this a handshake looks for another.
    context.set_mode(_NO_AUTO_CHAIN)
    partial = getattr(lib, "SSL_MODE_ENABLE_PARTIAL_WRITE", None)
    if partial is not None and hasattr(context, "clear_mode"):
        # A memory BIO takes all of a write.
        context.clear_mode(partial)
    setGroups = getattr(lib, "SSL_CTX_set1_curves_list", None)
    if setGroups is not None:
        setGroups(context._context, profile.groups)  # noqa: SLF001 - see above


def _use(context: SSL.Context, certificate: Certificate) -> None:
    """
    Give a context a certificate with its chain and its key.
    """
    # OpenSSL has a chain for each kind of key, but only reads it from a file. There is nothing
    # secret in this one.
    chain = b"".join(each.public_bytes(Encoding.PEM) for each in certificate.chain)
    with tempfile.NamedTemporaryFile(prefix="txlb-chain-") as file:
        file.write(chain)
        file.flush()
        try:
            context.use_certificate_chain_file(file.name)
            context.use_privatekey(PKey.from_cryptography_key(certificate.key))  # type: ignore[arg-type]
            context.check_privatekey()
        except (SSL.Error, Error, TypeError) as error:
            raise CertificateError(
                f"{certificate.file}: OpenSSL does not take this certificate: {reasonOf(error)}"
            ) from None


def ownCertificate(path: str) -> Certificate:
    """
    Read the certificate that the balancer shows to hosts.

    @raise CertificateError: the file can't be used, and why.
    """
    found = readCertificates([path])
    if found.problems:
        raise CertificateError(f"clientCertificate is {found.problems[0]}")
    if len(found.certificates) != 1:
        raise CertificateError(
            f"clientCertificate is {path}, in which there are {len(found.certificates)} "
            "certificates with a key; it is a PEM file of one, with its chain and its key"
        )
    return found.certificates[0]


def _load(context: SSL.Context, path: str, setting: str) -> None:
    """
    Trust the authorities of a file, whether they have signed themselves or not.
    """
    kind = "it is a PEM file of the certificates of the authorities"
    try:
        needFile(path)
        context.load_verify_locations(path)
        store = context.get_cert_store()
        if store is not None:
            store.set_flags(X509StoreFlags.PARTIAL_CHAIN)
    except OSError as error:
        raise CertificateError(f"{setting} is {path}: {error.strerror}; {kind}") from None
    except SSL.Error:
        why = "" if os.access(path, os.R_OK) else ", which can't be read"
        raise CertificateError(f"{setting} is {path}{why}; {kind}") from None


def _askClients(context: SSL.Context, settings: ListenTLS, authorities: str) -> None:
    _load(context, authorities, "clientCA")
    context.load_client_ca(os.fsencode(authorities))
    mode = SSL.VERIFY_PEER
    if settings.clientCertificates == "required":
        mode |= SSL.VERIFY_FAIL_IF_NO_PEER_CERT
    context.set_verify(mode)
    if settings.crl is None:
        return
    store = context.get_cert_store()
    lists = _revoked(settings.crl)
    if store is not None:
        for each in lists:
            store.add_crl(each)
        store.set_flags(X509StoreFlags.CRL_CHECK)


def _revoked(path: str) -> list[x509.CertificateRevocationList]:
    """
    Read lists of revoked certificates.
    """
    end = b"-----END X509 CRL-----"
    try:
        needFile(path)
        with open(path, "rb") as file:
            data = file.read()
        found = [x509.load_pem_x509_crl(each + end) for each in data.split(end)[:-1]]
    except OSError as error:
        raise CertificateError(f"crl is {path}: {error.strerror}") from None
    except ValueError as error:
        raise CertificateError(f"crl is {path}, which can't be read: {error}") from None
    if not found:
        raise CertificateError(
            f"crl is {path}, in which there is no list of revoked certificates in the PEM format"
        )
    return found


def _keep(path: str, line: bytes) -> None:
    """
    Write the secrets of a session to the file that the environment names. If that fails the
    session goes on, as the file is for debugging. A pipe is not waited for.
    """
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK
    with suppress(OSError):
        descriptor = os.open(path, flags, 0o600)
        try:
            os.write(descriptor, line + b"\n")
        finally:
            os.close(descriptor)


def warnOfKeylog() -> bool:
    """
    Warn in the log if the environment asks for the secrets of all sessions.

    @return: whether it does.
    """
    path = os.environ.get(KEYLOG)
    if not path:
        return False
    _log.warn(
        "{variable} is set: the secrets of every TLS session are written to {path}, and with them "
        "recorded connections can be read",
        variable=KEYLOG,
        path=path,
    )
    return True


def reasonOf(error: BaseException) -> str:
    """
    Say in a few words why OpenSSL has failed.
    """
    entries = error.args[0] if error.args and isinstance(error.args[0], list) else []
    reasons = [str(entry[-1]) for entry in entries if entry and entry[-1]]
    if reasons:
        return reasons[-1]
    if isinstance(error, SSL.SysCallError):
        return str(error.args[-1]) if error.args else "the connection was lost"
    return str(error) or type(error).__name__


def wasResumed(connection: SSL.Connection) -> bool:
    """
    Tell whether a connection has resumed a session, by a name of pyOpenSSL's own, see the
    decision 0060.

    @return: L{False} if there is no such name any more.
    """
    try:
        lib: Any = SSL._lib  # type: ignore[attr-defined]  # noqa: SLF001 - see above
        return bool(lib.SSL_session_reused(connection._ssl))  # noqa: SLF001 - see above
    except AttributeError:
        return False


def whyRefused(connection: SSL.Connection) -> str:
    """
    Say why the certificate of the other end was refused. pyOpenSSL's own text does not, so
    this asks OpenSSL by names of pyOpenSSL's own, see the decision 0060.

    @return: nothing if it was not refused, or if there are no such names any more.
    """
    try:
        lib: Any = SSL._lib  # type: ignore[attr-defined]  # noqa: SLF001 - see above
        number = lib.SSL_get_verify_result(connection._ssl)  # noqa: SLF001 - see above
        if not number:
            return ""
        text = SSL._ffi.string(lib.X509_verify_cert_error_string(number))  # type: ignore[attr-defined]  # noqa: SLF001 - see above
    except AttributeError:
        return ""
    return f"its certificate was refused: {text.decode('ascii', 'replace')}"
