"""
The contexts of a listener that ends TLS, by the names that clients ask for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from OpenSSL import SSL

from txlb.errors import CertificateError
from txlb.model import ListenTLS
from txlb.tls._certificate import Certificate
from txlb.tls._contexts import serverContext


class ServerContext:
    """
    The context of some names.

    @ivar context: OpenSSL's.
    @ivar certificates: those that it has, one of each kind of key.
    @ivar isSlow: whether a handshake takes more than a millisecond, so that its steps are
        done in a thread, see L{txlb.tls.SlowSteps}.
    """

    __slots__ = ("certificates", "context", "isSlow")

    def __init__(self, settings: ListenTLS, certificates: tuple[Certificate, ...]) -> None:
        self.context: SSL.Context = serverContext(settings, certificates)
        self.certificates = certificates
        self.isSlow = any(each.isSlow for each in certificates)


class ServerContexts:
    """
    The contexts of a listener. They don't change: others take their place when a certificate
    is renewed. Making them takes about a millisecond a certificate.

    @param settings: the listener's settings of TLS.
    @param certificates: the certificates, in the order in which the first is the default.
    @param now: seconds since 1970: of two certificates for one name with one kind of key the
        one that is valid is used, and of two that are the one that expires last.
    @raise CertificateError: there is no certificate, or one can't be used.

    @ivar made: when they were made, in seconds since 1970.
    @ivar certificates: those that are in use.
    """

    def __init__(
        self, settings: ListenTLS, certificates: Iterable[Certificate], now: float
    ) -> None:
        self.settings = settings
        self.made = now
        names: dict[str, dict[str, Certificate]] = {}
        for each in certificates:
            for name in each.names or ("",):
                kinds = names.setdefault(name, {})
                family = each.keyKind.partition(" ")[0]
                known = kinds.get(family)
                if known is None or _merit(each, now) > _merit(known, now):
                    kinds[family] = each
        made: dict[tuple[Certificate, ...], ServerContext] = {}
        self._exact: dict[str, ServerContext] = {}
        self._wild: dict[str, ServerContext] = {}
        for name, byKind in names.items():
            several = tuple(byKind.values())
            if several not in made:
                made[several] = ServerContext(settings, several)
            if name.startswith("*."):
                self._wild[name[2:]] = made[several]
            else:
                self._exact[name] = made[several]
        if not made:
            raise CertificateError(
                f"there is no certificate with its key in {', '.join(settings.certificates)}"
            )
        self.certificates = tuple(dict.fromkeys(each for several in made for each in several))
        self._default = next(iter(made.values()))
        self._refuses = settings.unknownName == "refuse"
        if settings.defaultName is not None:
            chosen = self._find(settings.defaultName.lower())
            if chosen is None:
                raise CertificateError(
                    f"defaultName is {settings.defaultName}, and no certificate has that name; "
                    f"there are: {', '.join(sorted(names)[:20])}"
                )
            self._default = chosen

    @property
    def names(self) -> list[str]:
        """
        The names for which there are certificates, in alphabetical order.
        """
        return sorted([*self._exact, *(f"*.{each}" for each in self._wild)])

    def _find(self, name: str) -> ServerContext | None:
        found = self._exact.get(name)
        if found is None:
            # A wildcard stands for one label (RFC 9525, section 6.3).
            found = self._wild.get(name.partition(".")[2])
        return found if found is not None else self._exact.get(f"*.{name.partition('.')[2]}")

    def choose(self, name: str | None) -> ServerContext | None:
        """
        Choose the context for a client.

        @param name: the name that it asks for, in lower case; L{None} if it asks for none.
        @return: L{None} if it is to be refused.
        """
        if name is None:
            return self._default
        found = self._find(name)
        if found is None and not self._refuses:
            return self._default
        return found

    def __iter__(self) -> Iterator[Certificate]:
        return iter(self.certificates)


def _merit(certificate: Certificate, now: float) -> tuple[bool, float]:
    return certificate.begins <= now < certificate.expires, certificate.expires
