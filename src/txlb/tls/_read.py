"""
Reading certificates and keys from files and folders.

A key is put together with its certificate by the public key that both have, and a chain by the
names of the issuers. So the order inside a file does not matter, nor which of the files of a
folder has what: one file with all of it, as HAProxy reads it, or C{fullchain.pem} beside
C{privkey.pem}, as certbot writes them.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import (
    CertificateIssuerPrivateKeyTypes,
    PublicKeyTypes,
)
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

from txlb.tls._certificate import Certificate

#: The ends of the names of files in a folder that are read.
SUFFIXES = (".pem", ".crt", ".cer", ".key")

#: Bytes of a file at most. The largest chains have some 20 KiB.
MOST_BYTES = 1 << 20

#: Files of all folders of a listener at most.
MOST_FILES = 20_000

#: Certificates of a chain at most.
LONGEST_CHAIN = 10

#: The permissions by which any user of the machine reads or writes a file.
OTHERS = stat.S_IRWXO

_NO_FILE = "it is no file"

_BLOCK = re.compile(rb"-----BEGIN ([A-Z0-9 ]{1,64})-----\r?\n.*?-----END \1-----", re.DOTALL)


@dataclass(frozen=True, slots=True)
class FileProblem:
    """
    A fault of a file.

    @ivar path: the file or the folder.
    @ivar message: the fault and its remedy, without the path.
    """

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


@dataclass(slots=True)
class ReadCertificates:
    """
    The certificates that were read, and the faults that were found.

    @ivar certificates: in the order of the names of the files.
    @ivar problems: the faults.
    @ivar stamps: what tells that the files have changed, by path.
    """

    certificates: list[Certificate] = field(default_factory=list)
    problems: list[FileProblem] = field(default_factory=list)
    stamps: dict[str, tuple[int, ...]] = field(default_factory=dict)


@dataclass(slots=True)
class _Scope:
    """
    The files that belong together: those of one folder, or those that are named.
    """

    certificates: list[tuple[str, list[x509.Certificate]]] = field(default_factory=list)
    keys: list[tuple[str, CertificateIssuerPrivateKeyTypes]] = field(default_factory=list)


def readCertificates(paths: Iterable[str]) -> ReadCertificates:
    """
    Read certificates with their keys. It reads files, and takes about half a millisecond for
    each certificate.

    @param paths: folders and files.
    @return: what was found. Faults don't raise.
    """
    found = ReadCertificates()
    named = _Scope()
    for path in paths:
        if os.path.isdir(path):
            before = len(found.certificates) + len(found.problems)
            _readFolder(path, found)
            if len(found.certificates) + len(found.problems) == before:
                found.problems.append(
                    FileProblem(
                        path,
                        "this folder has no certificates; put PEM files into it whose names end "
                        f"with {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}",
                    )
                )
        else:
            _readFile(path, named, found)
    _pair(named, found)
    return found


def stampsOf(paths: Iterable[str]) -> dict[str, tuple[int, ...]]:
    """
    Find out what tells that files have changed, without reading them.
    """
    stamps: dict[str, tuple[int, ...]] = {}
    for path in paths:
        for each in _filesOf(path) if os.path.isdir(path) else [path]:
            stamps[each] = _stampOf(each)
    return stamps


def _stampOf(path: str) -> tuple[int, ...]:
    try:
        seen = os.stat(path)
    except OSError as error:
        return (error.errno or 0,)
    return seen.st_mtime_ns, seen.st_size, seen.st_ino


def _filesOf(folder: str) -> list[str]:
    """
    List the files of a folder and of the folders inside of it that may have certificates.
    """
    files: list[str] = []
    for inner in (folder, *_foldersIn(folder)):
        try:
            names = sorted(os.listdir(inner))
        except OSError:
            continue
        paths = (os.path.join(inner, each) for each in names if each.lower().endswith(SUFFIXES))
        files += [path for path in paths if not os.path.isdir(path)]
    return files[:MOST_FILES]


def _foldersIn(folder: str) -> Iterator[str]:
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return
    for name in names:
        path = os.path.join(folder, name)
        if not name.startswith(".") and os.path.isdir(path):
            yield path


def _readFolder(folder: str, found: ReadCertificates) -> None:
    try:
        os.listdir(folder)
    except OSError as error:
        found.problems.append(FileProblem(folder, error.strerror or str(error)))
        return
    scopes: dict[str, _Scope] = {}
    for path in _filesOf(folder):
        _readFile(path, scopes.setdefault(os.path.dirname(path), _Scope()), found)
    for scope in scopes.values():
        _pair(scope, found)


def _readFile(path: str, scope: _Scope, found: ReadCertificates) -> None:
    """
    Read the certificates and keys of one file.
    """
    found.stamps[path] = _stampOf(path)
    try:
        data, mode = _contentOf(path)
    except OSError as error:
        found.problems.append(FileProblem(path, error.strerror or str(error)))
        return
    try:
        certificates, keys = parsePEM(data)
    except ValueError as error:
        found.problems.append(FileProblem(path, str(error)))
        return
    if keys and mode & OTHERS:
        found.problems.append(
            FileProblem(
                path,
                f"every user of this machine can read the key in it (mode {mode & 0o777:04o}); "
                f"chmod 0600 {path}, and have a new key made if others use this machine",
            )
        )
        return
    if not certificates and not keys:
        found.problems.append(
            FileProblem(path, "there is no certificate and no key in it, in the PEM format")
        )
    if certificates:
        scope.certificates.append((path, certificates))
    scope.keys += [(path, key) for key in keys]


def needFile(path: str) -> None:
    """
    Make sure that a path is that of a file. Opening a pipe would wait for a writer.

    @raise OSError: it is something else, or there is nothing.
    """
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise OSError(0, _NO_FILE)


def _contentOf(path: str) -> tuple[bytes, int]:
    """
    Read a file.

    @return: its bytes and its mode.
    @raise OSError: it can't be read.
    """
    # Opening a pipe must not wait for a writer.
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    with open(descriptor, "rb") as file:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            raise OSError(0, _NO_FILE)
        data = file.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise OSError(0, f"it has more than {MOST_BYTES >> 20} MiB")
    return data, mode


def parsePEM(
    data: bytes,
) -> tuple[list[x509.Certificate], list[CertificateIssuerPrivateKeyTypes]]:
    """
    Parse the certificates and the private keys of a text, in any order.

    @raise ValueError: something in it is broken, and what.
    """
    certificates: list[x509.Certificate] = []
    keys: list[CertificateIssuerPrivateKeyTypes] = []
    blocks = list(_BLOCK.finditer(data))
    if data.count(b"-----BEGIN ") != len(blocks):
        raise ValueError("a block in it has no end; it may be half written")
    for block in blocks:
        kind = block[1].decode("ascii")
        if kind.endswith("PRIVATE KEY"):
            keys.append(_keyFrom(block[0]))
        elif kind in {"CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE"}:
            try:
                certificates.append(x509.load_pem_x509_certificate(block[0]))
            except ValueError as error:
                raise ValueError(f"a certificate in it can't be read: {error}") from None
    return certificates, keys


def _keyFrom(block: bytes) -> CertificateIssuerPrivateKeyTypes:
    try:
        # It has the types that sign certificates, and a few more, which have no certificates.
        return load_pem_private_key(block, None)  # type: ignore[return-value]
    except TypeError:
        raise ValueError(
            "the key in it is encrypted; the balancer asks for no passphrase, so store the key "
            "without one, with mode 0600"
        ) from None
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ValueError(f"the key in it can't be read: {str(error).splitlines()[0]}") from None


def _publicBytes(key: PublicKeyTypes) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _bytesOf(certificate: x509.Certificate) -> bytes:
    """
    Return the public key of a certificate; nothing if it is of an unknown kind.
    """
    try:
        return _publicBytes(certificate.public_key())
    except (ValueError, UnsupportedAlgorithm):
        return b""


def _pair(scope: _Scope, found: ReadCertificates) -> None:
    """
    Put the keys of a scope together with their certificates.
    """
    every = [(path, each) for path, several in scope.certificates for each in several]
    used: set[str] = set()
    for keyFile, key in scope.keys:
        public = _publicBytes(key.public_key())
        matching = [(path, each) for path, each in every if _bytesOf(each) == public]
        if not matching:
            found.problems.append(FileProblem(keyFile, _strayKey(scope, keyFile)))
            continue
        made: dict[x509.Certificate, Certificate] = {}
        for path, leaf in matching:
            used.add(path)
            inSameFile = next(several for other, several in scope.certificates if other == path)
            chain = _chain(leaf, inSameFile) or _chain(leaf, [each for _, each in every])
            certificate = Certificate(chain, key, path, keyFile)
            known = made.get(leaf)
            # cert.pem has the certificate alone, and fullchain.pem has it with its chain.
            if known is None or len(chain) > len(known.chain):
                made[leaf] = certificate
        found.certificates += made.values()
    for path, several in scope.certificates:
        if path not in used and not _isChainOf(several, found.certificates):
            found.problems.append(
                FileProblem(path, "the certificate in it has no key here; put its key beside it")
            )


def _strayKey(scope: _Scope, keyFile: str) -> str:
    same = [path for path, _ in scope.certificates if path == keyFile]
    if same or len(scope.certificates) == 1:
        other = same[0] if same else scope.certificates[0][0]
        where = "in it" if same else f"in {other}"
        return f"the key in it is not the key of the certificate {where}"
    return "the key in it is not the key of any certificate here"


def _isChainOf(several: list[x509.Certificate], certificates: list[Certificate]) -> bool:
    """
    Tell whether a file has nothing but certificates of authorities, such as C{chain.pem}.
    """
    issuers = {each.issuer for certificate in certificates for each in certificate.chain}
    return all(each.subject in issuers or _isAuthority(each) for each in several)


def _isAuthority(certificate: x509.Certificate) -> bool:
    try:
        extension = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    except (x509.ExtensionNotFound, ValueError):
        return False
    return extension.value.ca


def _chain(leaf: x509.Certificate, pool: list[x509.Certificate]) -> tuple[x509.Certificate, ...]:
    """
    Put a chain together, from a certificate to one whose issuer is not there. A root, which has
    signed itself, is left out: a client has it or does not trust it.

    @return: the chain; nothing if there is none beside the certificate, although it was
        signed by another one.
    """
    chain = [leaf]
    while len(chain) < LONGEST_CHAIN and chain[-1].issuer != chain[-1].subject:
        last = chain[-1]
        above = next(
            (each for each in pool if each.subject == last.issuer and each not in chain), None
        )
        if above is None or above.issuer == above.subject:
            break
        chain.append(above)
    return tuple(chain) if len(chain) > 1 or leaf.issuer == leaf.subject else (leaf,)
