"""
From nodes to TLS of listeners and hosts.
"""

from __future__ import annotations

import ipaddress
import os
import time
from collections.abc import Iterable
from typing import Any

from txlb.config import _schema as schema
from txlb.config._nodes import Node
from txlb.config._problems import Report
from txlb.errors import CertificateError, ModelError
from txlb.model import HostTLS, ListenTLS, effectiveTLS
from txlb.model.settings import settingsOf
from txlb.tls import SOON, Certificate, ClientContext, ServerContexts, readCertificates

#: The settings of TLS of hosts and groups: the attribute of each field.
HOST_TLS_SETTINGS = {name: each.word or name for name, each in settingsOf(HostTLS).items()}
HOST_TLS_WORDS = frozenset(HOST_TLS_SETTINGS.values())

#: The attributes that are paths.
_LISTEN_PATHS = ("clientCA", "crl")
_HOST_PATHS = ("ca", "clientCertificate")


def plainSettings(node: Node) -> dict[str, Any]:
    """
    Return the settings of a host or a group without those of TLS.
    """
    return {name: each for name, each in node.settings.items() if name not in HOST_TLS_SETTINGS}


class TLSBuilder:
    """
    Makes TLS of listeners and hosts, and reports what is wrong with it.

    @param folder: the folder at which relative paths begin.
    @param files: whether to look into the files.
    """

    def __init__(self, problem: Report, note: Report, folder: str, *, files: bool) -> None:
        self._problem = problem
        self._note = note
        self._folder = folder
        self._files = files
        self._known: set[ListenTLS | HostTLS] = set()
        self._certificates: dict[ListenTLS, tuple[Certificate, ...]] = {}
        # The line of the first listener that has a certificate, and the names for which clients
        # come to all that have it; None for any name.
        self._asked: dict[Certificate, tuple[int, set[str] | None]] = {}

    def listener(self, node: Node) -> ListenTLS | None:
        """
        Make TLS of a listener. If it is wrong the listener is.
        """
        inner = node.first(schema.TLS)
        if inner is None:
            return None
        if inner.wrong:
            node.wrong.add("children")
            return None
        paths = inner.values.get("certificates")
        if paths is not None:
            inner.values["certificates"] = tuple(self._path(each) for each in paths)
        self._resolve(inner, _LISTEN_PATHS)
        try:
            made = ListenTLS(**inner.settings)
            if self._files and made not in self._known:
                self._known.add(made)
                self._lookInto(made, inner)
        except ModelError as error:
            node.wrong.add("children")
            self._problem(inner.line, str(error))
            return None
        names = node.get("serverNames")
        certificates = self._certificates.get(made, ())
        if names and certificates:
            self._noteUncertified(made, names, certificates, inner.line)
        for certificate in certificates:
            line, asked = self._asked.get(certificate, (inner.line, set()))
            every = None if asked is None or not names else asked.union(names)
            self._asked[certificate] = line, every
        return made

    def _noteUncertified(
        self,
        settings: ListenTLS,
        serverNames: Iterable[str],
        certificates: Iterable[Certificate],
        line: int,
    ) -> None:
        """
        Note the names in C{serverNames} that no certificate of the listener has.
        """
        have = {name for each in certificates for name in each.names}
        bare = [name for name in serverNames if not _isCertified(name.lower(), have)]
        if bare:
            more = f" and {len(bare) - 5} more" if len(bare) > 5 else ""
            refuses = settings.unknownName == "refuse"
            self._note(
                line,
                f"serverNames has {', '.join(bare[:5])}{more}, and no certificate here is for "
                "that; clients that ask for it "
                f"{'are refused' if refuses else 'get a certificate that they refuse'}",
            )

    def noteIdleNames(self) -> None:
        """
        Note the names of certificates for which no client comes, as C{serverNames} leaves them
        out. Every listener was made before.
        """
        for certificate, (line, asked) in self._asked.items():
            if asked is None:
                continue
            idle = [name for name in certificate.names if not _isAskedFor(name, asked)]
            if idle:
                more = f" and {len(idle) - 5} more" if len(idle) > 5 else ""
                self._note(
                    line,
                    f"{certificate.file}: the certificate is for {', '.join(idle[:5])}{more}, "
                    "but serverNames of no listener with it has that; add it there, or clients "
                    "that ask for it go elsewhere",
                )

    def _lookInto(self, settings: ListenTLS, node: Node) -> None:
        """
        Read the certificates of a listener, and report each fault.
        """
        found = readCertificates(settings.certificates)
        for each in found.problems:
            self._problem(node.line, str(each))
        if found.problems:
            return
        now = time.time()
        contexts = ServerContexts(settings, found.certificates, now)
        self._certificates[settings] = contexts.certificates
        for certificate in contexts.certificates:
            names = ", ".join(certificate.names[:5])
            if certificate.expires <= now:
                self._note(
                    node.line,
                    f"{certificate.file}: the certificate for {names} has expired; clients "
                    "refuse it",
                )
            elif certificate.begins > now:
                self._note(
                    node.line,
                    f"{certificate.file}: the certificate for {names} is not valid yet; clients "
                    "refuse it",
                )
            elif certificate.expires - now < SOON:
                days = int((certificate.expires - now) // 86400)
                self._note(
                    node.line,
                    f"{certificate.file}: the certificate for {names} expires in {days} days",
                )

    def hosts(self, group: Node, hosts: Iterable[Node]) -> dict[int, HostTLS | None]:
        """
        Make TLS of a group and of its hosts, by the ids of the nodes.
        """
        of = self._host(group)
        made: dict[int, HostTLS | None] = {id(group): of}
        for node in hosts:
            own = made[id(node)] = self._host(node)
            if own is None and of is None:
                continue
            effective = effectiveTLS(own, of)
            if effective is not None:
                self._check(effective, node if own is not None else group)
            elif own is not None and own.on is None:
                self._noteIdle(node)
        if (
            of is not None
            and of.on is None
            and not any(each is not None and each.on for each in made.values())
        ):
            self._noteIdle(group)
        return made

    def _host(self, node: Node) -> HostTLS | None:
        if not any(word in node.values for word in HOST_TLS_WORDS):
            return None
        self._resolve(node, _HOST_PATHS)
        given = {name: node.get(word) for name, word in HOST_TLS_SETTINGS.items()}
        try:
            return HostTLS(**given)
        except ModelError as error:
            self._problem(node.line, str(error))
            return None

    def _check(self, settings: HostTLS, node: Node) -> None:
        if settings in self._known:
            return
        self._known.add(settings)
        if not settings.verifies:
            self._note(
                node.line,
                f'{node.label} has verify="no": anything that can answer in its place reads the '
                "connections",
            )
        if self._files:
            try:
                ClientContext(settings)
            except CertificateError as error:
                self._problem(node.line, f"{node.label}: {error}")

    def _noteIdle(self, node: Node) -> None:
        words = [word for word in HOST_TLS_WORDS if word in node.values]
        self._note(
            node.line, f'{min(words)} of {node.label} has no effect; write tls="yes" beside it'
        )

    def _resolve(self, node: Node, names: Iterable[str]) -> None:
        """
        Let relative paths begin at the folder of the file.
        """
        for name in names:
            if name in node.values:
                node.values[name] = self._path(node.values[name])

    def _path(self, path: str) -> str:
        return os.path.join(self._folder, path)


def _isCertified(name: str, have: set[str]) -> bool:
    """
    Tell whether there is a certificate for a name, or for any under it.

    @param name: a name of C{serverNames}, in lower case.
    @param have: the names of certificates, in lower case.
    """
    if name.startswith("*."):
        return any(each.endswith(name[1:]) for each in have)
    return name in have or f"*.{name.partition('.')[2]}" in have


def _isAskedFor(name: str, asked: set[str]) -> bool:
    """
    Tell whether a client that C{serverNames} lets in can ask for a name of a certificate.

    @param name: the name, in lower case. A wildcard stands for one label (RFC 9525, section
        6.3). For an address no client asks.
    @param asked: names in lower case. In these a wildcard stands for any labels.
    """
    try:
        ipaddress.ip_address(name)
    except ValueError:
        pass
    else:
        return True
    if name in asked:
        return True
    labels = name.removeprefix("*.").split(".")
    # The name itself is under none of its own wildcards, but the names for which one stands are.
    first = 0 if name.startswith("*.") else 1
    if any(f"*.{'.'.join(labels[at:])}" in asked for at in range(first, len(labels))):
        return True
    return name.startswith("*.") and any(
        each.partition(".")[2] == name[2:] for each in asked if not each.startswith("*.")
    )
