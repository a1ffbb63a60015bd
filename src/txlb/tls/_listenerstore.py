"""
The certificates of one listener's settings, as they are in use and in their files.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from txlb.errors import CertificateError
from txlb.model import ListenTLS
from txlb.tls._certificate import Certificate
from txlb.tls._read import FileProblem, ReadCertificates, readCertificates, stampsOf
from txlb.tls._servercontexts import ServerContexts

#: Seconds after which contexts are made anew, and with them the keys of tickets. A ticket is
#: as secret as the key that it is encrypted with, so no key is kept for longer than a day.
RENEW = 20 * 3600.0

#: Seconds before the end of a certificate from which on the balancer warns.
SOON = 14 * 86400.0


@dataclass(frozen=True, slots=True)
class CertificateInUse:
    """
    A certificate that is in use.

    @ivar certificate: the certificate.
    @ivar since: when it came into use, in seconds since 1970.
    """

    certificate: Certificate
    since: float

    def asDict(self, now: float) -> dict[str, object]:
        """
        Return it in values that any format can hold.

        @param now: seconds since 1970.
        """
        certificate = self.certificate
        left = certificate.expires - now
        state = "good"
        if left <= 0:
            state = "expired"
        elif certificate.begins > now:
            state = "not valid yet"
        elif left < SOON:
            state = "expires soon"
        return {
            "names": list(certificate.names),
            "key": certificate.keyKind,
            "expires": certificate.expires,
            "state": state,
            "file": certificate.file,
            "since": self.since,
        }


class ListenerStore:
    """
    The certificates of one listener's settings. Owned by the L{txlb.tls.TLSStore}.

    @param settings: the settings.
    @param now: tells the seconds since 1970.
    @raise CertificateError: a file has a fault, and which.

    @ivar contexts: those of new handshakes. A thread puts others into their place.
    @ivar problems: the faults that the last look at the files has found.
    """

    def __init__(self, settings: ListenTLS, now: Callable[[], float]) -> None:
        self.settings = settings
        self._now = now
        self.problems: tuple[FileProblem, ...] = ()
        found = readCertificates(settings.certificates)
        if found.problems:
            raise CertificateError(
                "certificates of TLS: " + "; ".join(map(str, found.problems[:3]))
            )
        time = now()
        self._stamps = self._look()
        self.contexts = ServerContexts(settings, found.certificates, time)
        self._since = dict.fromkeys(self.contexts.certificates, time)

    def _look(self) -> dict[str, tuple[int, ...]]:
        settings = self.settings
        others = (each for each in (settings.clientCA, settings.crl) if each is not None)
        return stampsOf((*settings.certificates, *others))

    @property
    def inUse(self) -> list[CertificateInUse]:
        """
        The certificates that are in use.
        """
        since = self._since
        return [
            CertificateInUse(each, since.get(each, self.contexts.made))
            for each in self.contexts.certificates
        ]

    @property
    def isDue(self) -> bool:
        """
        Whether the files have changed since they were read, or the contexts are old.
        """
        age = self._now() - self.contexts.made
        return not 0 <= age < RENEW or self._look() != self._stamps

    def reload(self) -> list[str]:
        """
        Read the files again, and use what is right in them. It reads files, so it belongs
        into a thread.

        @return: a line for each certificate that came or went.
        @raise CertificateError: nothing can be used. Then all is as it was.
        """
        stamps = self._look()
        found = readCertificates(self.settings.certificates)
        now = self._now()
        before = self.contexts.certificates
        wanted = self._merged(found, now)
        try:
            contexts = ServerContexts(self.settings, wanted, now)
        except CertificateError as error:
            # The next look must not try it again and again.
            self._stamps = stamps
            self.problems = (*found.problems, FileProblem("TLS", str(error)))
            raise
        self._since = {each: self._since.get(each, now) for each in contexts.certificates}
        self._stamps = stamps
        self.problems = tuple(found.problems)
        self.contexts = contexts
        after = contexts.certificates
        known, there = set(before), set(after)
        return [
            *(f"{_shown(each)} is in use" for each in after if each not in known),
            *(f"{_shown(each)} is no longer in use" for each in before if each not in there),
        ]

    def _merged(self, found: ReadCertificates, now: float) -> list[Certificate]:
        """
        Put the certificates that were found together with those in use that are better than
        what their files have now: one whose file is broken stays, and one that is valid is
        not replaced by one that is not.
        """
        wanted = list(found.certificates)
        for each in self.contexts.certificates:
            if each in wanted:
                continue
            others = [other for other in wanted if _isFor(other, each)]
            if not others:
                # With a fault the file may be the one that it came from.
                if found.problems:
                    wanted.append(each)
                continue
            if _isValid(each, now) and not any(_isValid(other, now) for other in others):
                for other in others:
                    state = "expired" if other.expires <= now else "not valid yet"
                    found.problems.append(
                        FileProblem(
                            other.file, f"the certificate in it is {state}; the former one stays"
                        )
                    )
                    wanted.remove(other)
                wanted.append(each)
        return wanted


def _isFor(other: Certificate, each: Certificate) -> bool:
    """
    Tell whether a certificate can take the place of another one.
    """
    same = other.keyKind.partition(" ")[0] == each.keyKind.partition(" ")[0]
    return same and bool(set(other.names) & set(each.names))


def _isValid(certificate: Certificate, now: float) -> bool:
    return certificate.begins <= now < certificate.expires


def _shown(certificate: Certificate) -> str:
    names = ", ".join(certificate.names[:5])
    return f"the certificate for {names} ({certificate.keyKind}, {certificate.file})"
