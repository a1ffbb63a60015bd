"""
All contexts of a balancer.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator

from twisted.logger import Logger

from txlb.errors import CertificateError
from txlb.model import HostTLS, ListenTLS, ProxyService, effectiveTLS
from txlb.tls._clientcontext import ClientContext
from txlb.tls._contexts import warnOfKeylog
from txlb.tls._listenerstore import ListenerStore
from txlb.tls._read import stampsOf
from txlb.tls._servercontexts import ServerContexts
from txlb.tls._slowsteps import SlowSteps

_log = Logger()


class TLSStore:
    """
    The contexts of all listeners and hosts of a balancer, by their settings. Owned by the
    L{txlb.application.service.LoadBalancedService}.

    L{prepare} and L{reload} read files, and belong into a thread while clients are served.
    What they make takes the place of what was there in one step, so that a handshake has the
    one or the other.

    @param now: tells the seconds since 1970.

    @ivar slowSteps: the threads for handshakes that take long.
    """

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self.slowSteps = SlowSteps()
        self._listeners: dict[ListenTLS, ListenerStore] = {}
        self._hosts: dict[HostTLS, ClientContext] = {}
        # Settings of listeners that belong to no service.
        self._kept: set[ListenTLS] = set()
        self._stamps: dict[HostTLS, object] = {}
        self._warned = False
        # The listener of the last handshake. The hash of settings takes longer than all else here.
        self._last: tuple[ListenTLS, ListenerStore] | None = None

    # For handshakes

    def serverContexts(self, settings: ListenTLS) -> ServerContexts:
        """
        Return the contexts of a listener.

        @raise CertificateError: they are made now, and a file has a fault.
        """
        last = self._last
        if last is not None and last[0] is settings:
            return last[1].contexts
        store = self._listeners.get(settings)
        if store is None:
            store = self._prepareListener(settings)
        self._last = settings, store
        return store.contexts

    def clientContext(self, settings: HostTLS) -> ClientContext:
        """
        Return the context for hosts with these settings, those of the group included.

        @raise CertificateError: it is made now, and a file has a fault.
        """
        context = self._hosts.get(settings)
        return self._prepareHost(settings) if context is None else context

    # Preparing

    def prepare(self, services: Iterable[ProxyService]) -> None:
        """
        Make the contexts that services need and that are not there yet.

        @raise CertificateError: a file has a fault, and which.
        """
        for _ in self.preparing(services):
            pass

    def preparing(self, services: Iterable[ProxyService]) -> Iterator[None]:
        """
        Do the same as L{prepare}, step by step.

        @raise CertificateError: while it is iterated over, as L{prepare} does.
        """
        listeners, hosts = settingsOf(services)
        if listeners or hosts:
            self._warnOnce()
        for settings, whose in listeners.items():
            if settings not in self._listeners:
                try:
                    self._prepareListener(settings)
                except CertificateError as error:
                    raise CertificateError(f"{whose}: {error}") from None
                yield
        for hostSettings, whose in hosts.items():
            if hostSettings not in self._hosts:
                try:
                    self._prepareHost(hostSettings)
                except CertificateError as error:
                    raise CertificateError(f"{whose}: {error}") from None
                if not hostSettings.verifies:
                    _log.warn(
                        "{whose}: the certificate is not verified, so anything that can answer in "
                        "the place of the host reads the connection",
                        whose=whose,
                    )
                yield

    def _warnOnce(self) -> None:
        if not self._warned:
            self._warned = True
            warnOfKeylog()

    def _prepareListener(self, settings: ListenTLS) -> ListenerStore:
        store = ListenerStore(settings, self._now)
        return self._listeners.setdefault(settings, store)

    def _prepareHost(self, settings: HostTLS) -> ClientContext:
        self._stamps[settings] = _hostStamps(settings)
        context = ClientContext(settings, self.slowSteps)
        return self._hosts.setdefault(settings, context)

    def keep(self, settings: ListenTLS) -> None:
        """
        Make the contexts of a listener that belongs to no service, such as that of the web
        console, and follow its files.

        @raise CertificateError: a file has a fault, and which.
        """
        self._warnOnce()
        if settings not in self._listeners:
            self._prepareListener(settings)
        self._kept.add(settings)

    def letGo(self, settings: ListenTLS) -> None:
        """
        Follow the files of such a listener no more, unless a service has them too.
        """
        self._kept.discard(settings)

    def retain(self, services: Iterable[ProxyService]) -> None:
        """
        Forget the contexts that these services don't need. Connections keep theirs.
        """
        if not self._listeners and not self._hosts:
            return
        self._last = None
        listeners, hosts = settingsOf(services)
        needed = {*listeners, *self._kept}
        for settings in [each for each in self._listeners if each not in needed]:
            del self._listeners[settings]
        for hostSettings in [each for each in self._hosts if each not in hosts]:
            del self._hosts[hostSettings]
            self._stamps.pop(hostSettings, None)

    # Changes of files

    def __bool__(self) -> bool:
        return bool(self._listeners or self._hosts)

    @property
    def listeners(self) -> list[ListenerStore]:
        """
        The certificates of each listener's settings.
        """
        return list(self._listeners.values())

    def isDue(self) -> bool:
        """
        Tell whether files have changed, or contexts are old. It looks at files, so it belongs into
        a thread.
        """
        return any(store.isDue for store in self.listeners) or any(
            _hostStamps(settings) != self._stamps.get(settings) for settings in list(self._hosts)
        )

    def reload(self, everything: bool = False) -> tuple[list[str], list[str]]:
        """
        Read the files again that have changed, and renew contexts that are old.

        @param everything: read all files again, whether they have changed or not.
        @return: a line for each certificate that came or went, and one for each fault. What has
            a fault is as it was.
        """
        lines: list[str] = []
        faults: list[str] = []
        for store in list(self._listeners.values()):
            if everything or store.isDue:
                try:
                    lines += store.reload()
                except CertificateError as error:
                    faults.append(f"{error}; what was in use stays")
                else:
                    faults += [f"{each}; what was in use stays" for each in store.problems]
        for settings in list(self._hosts):
            stamps = _hostStamps(settings)
            if not everything and stamps == self._stamps.get(settings):
                continue
            self._stamps[settings] = stamps
            try:
                self._hosts[settings] = ClientContext(settings, self.slowSteps)
            except CertificateError as error:
                faults.append(f"{error}; what was in use stays")
        # Several listeners may have the same files.
        return list(dict.fromkeys(lines)), list(dict.fromkeys(faults))


def _hostStamps(settings: HostTLS) -> object:
    files = (settings.ca, settings.clientCertificate)
    return stampsOf(each for each in files if each is not None)


def settingsOf(
    services: Iterable[ProxyService],
) -> tuple[dict[ListenTLS, str], dict[HostTLS, str]]:
    """
    Find the settings of TLS of services, each with the first thing that has it.
    """
    listeners: dict[ListenTLS, str] = {}
    hosts: dict[HostTLS, str] = {}
    for service in services:
        for listener in service.listeners:
            if listener.tls is not None:
                listeners.setdefault(listener.tls, f"service {service.name!r}")
        for group in service.groups:
            if group.tls is None and not any(host.tls is not None for host in group.hosts):
                continue
            for host in group.hosts:
                made = effectiveTLS(host.tls, group.tls)
                if made is not None:
                    hosts.setdefault(made, f"host {host.name!r} of service {service.name!r}")
    return listeners, hosts
