"""
Announcing: a balanced application tells a registry that it is there.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed
from twisted.python.failure import Failure

from txlb._reactor import pickedReactor
from txlb.deadlines import Deadlines, Retry
from txlb.discovery._announcement import Announcement
from txlb.discovery._etcd import MEMBERS
from txlb.errors import ModelError, TxlbError
from txlb.model import checkClock
from txlb.model.kinds import Seconds, Text
from txlb.wire import AgentReply

if TYPE_CHECKING:
    from txlb.clients import EtcdClient

#: Seconds of the first pause before another try, and of a pause at most.
FIRST_PAUSE = 0.2
LONGEST_PAUSE = 2.0

#: How often a lease is renewed while it lasts.
RENEWALS = 3

TTL = Seconds(2.0, 3600.0)
PREFIX = Text(r"[!-~]{1,256}", "1 to 256 printable ASCII characters without a space")


class AnnounceService(Service):
    """
    Announces a host in etcd, for balancers that find their hosts there, by
    C{<discover from="etcd" .../>}. Make it the child of the application that is the host::

        AnnounceService(
            "http://127.0.0.1:2379", "web", "production", "127.0.0.1:7001"
        ).setServiceParent(application)

    The key C{PREFIX/service/group/name} lives under a lease, which is renewed by the monotonic
    clock. So it goes C{ttl} seconds after the process has died or lost the registry. If the
    registry was away, the host is announced again, under the same key. A key that another living
    process has is left alone, and the log says so.

    When the service stops, the host says C{drain} first, waits C{drainTime} seconds, in which
    balancers give it nothing new and its connections go on, and then removes the key.

    @param url: the members of the etcd cluster, with spaces between them.
    @param service: the name of the balancer's service.
    @param group: the name of its group.
    @param address: the address at which balancers reach the host.
    @param name: the name of the host; by default its address.
    @param weight: see L{FoundHost}.
    @param prefix: the beginning of the key.
    @param priority: see L{FoundHost}.
    @param metadata: see L{FoundHost}.
    @param report: returns what the host reports of itself, such as the C{reply} of an
        C{AgentService}: its load, its capacity, and whether it is to get nothing new. It is called
        when the lease is renewed, and has to be quick.
    @param ttl: seconds after which the key goes if it is not renewed, 2 to 3600.
    @param drainTime: seconds from C{drain} to the end of the key, 0 to 3600.
    @param user: a user of etcd; empty for none.
    @param password: the user's password.
    @param ca: certificates in PEM form that the members' have to be signed by; L{None} for those
        of the system.
    @param clientCertificate: a certificate in PEM form, with its key, that is shown to the
        members; L{None} for none.
    @param reactor: by default the global one, from when the service starts.
    @param seconds: a monotonic clock.
    @ivar announcement: what is announced.
    @raise ModelError: something of it breaks a rule, or a certificate can't be used.
    """

    def __init__(
        self,
        url: str,
        service: str,
        group: str,
        address: str,
        name: str | None = None,
        weight: int = 1,
        prefix: str = "txlb",
        *,
        priority: int = 0,
        metadata: Mapping[str, str] | None = None,
        report: Callable[[], AgentReply] | None = None,
        ttl: float = 5.0,
        drainTime: float = 1.0,
        user: str = "",
        password: str = "",
        ca: bytes | None = None,
        clientCertificate: bytes | None = None,
        reactor: Any = None,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._urls = MEMBERS.check(url, "url of an announcement")
        if not self._urls:
            raise ModelError("url of an announcement is empty; it is one URL or more")
        announcement = self.announcement = Announcement(
            service, group, address, name, weight, priority, metadata, report, drainTime
        )
        PREFIX.check(prefix, "prefix of an announcement")
        self.key = f"{prefix.rstrip('/')}/{service}/{group}/{announcement.host.name}"
        announcement.label = self.key
        self._ttl = math.ceil(TTL.check(ttl, "ttl of an announcement"))
        checkClock(seconds)
        if ca is not None or clientCertificate is not None:
            # Twisted's HTTP client is imported only by those that need it.
            from txlb.clients import TLSPolicy  # noqa: PLC0415 - see above

            TLSPolicy(ca, clientCertificate)
        self._account: dict[str, Any] = {
            "user": user,
            "password": password,
            "ca": ca,
            "clientCertificate": clientCertificate,
        }
        self._reactor = reactor
        self._seconds = seconds
        self._deadlines: Deadlines | None = None
        self._retry: Retry | None = None
        self._client: EtcdClient | None = None
        self._working: Deferred[None] | None = None
        # The lease, and what was written under it: the state that the application
        # wants, the value, and since when it has its load.
        self._lease = 0
        self._written: tuple[str, bytes, float] | None = None
        self._again = False

    @property
    def announced(self) -> bool:
        """
        Whether the registry has the host as it is.
        """
        return self._written is not None and self._written[0] == self.announcement.state

    @property
    def _value(self) -> tuple[str, bytes, float]:
        entry, since = self.announcement.entry(self._seconds())
        return self.announcement.state, json.dumps(entry).encode(), since

    # Life

    def startService(self) -> None:
        """
        Announce the host.
        """
        # Twisted's HTTP client is imported only by those that need it.
        from txlb.clients import EtcdClient  # noqa: PLC0415 - see above

        super().startService()
        self._reactor = pickedReactor(self._reactor)
        self._deadlines = Deadlines(self._reactor, self._seconds)
        self._retry = Retry(self._deadlines, self._work, first=FIRST_PAUSE, longest=LONGEST_PAUSE)
        self._client = EtcdClient(
            self._reactor, self._urls, timeout=min(5.0, self._ttl / 2), **self._account
        )
        self.announcement.begin()
        self._work()

    def stopService(self) -> Deferred[None]:
        """
        Say C{drain}, wait, and remove the key.

        @return: fires with L{None} when that is done, or when the registry had its time for it.
            It does not fail.
        """
        super().stopService()
        client, self._client = self._client, None
        if client is None or self._retry is None or self._deadlines is None:
            return succeed(None)
        self._retry.stop()
        if self._working is not None:
            self._working.cancel()
        deadlines, leaving = self._deadlines, succeed(None)
        if self._written is not None:
            leaving = self.announcement.leave(
                deadlines,
                self._ttl,
                lambda: client.put(self.key, self._value[1], self._lease),
                lambda: client.revoke(self._lease),
            )

        def ended(_: object) -> Deferred[None]:
            self._lease, self._written = 0, None
            deadlines.stop()
            return client.close()

        return leaving.addCallback(ended)

    def replaceCredentials(
        self,
        password: str = "",
        ca: bytes | None = None,
        clientCertificate: bytes | None = None,
    ) -> None:
        """
        Use other credentials from now on, as those before were renewed. The arguments are those
        with which the service is made.

        @raise ModelError: a certificate can't be used. Nothing has changed then.
        """
        # Twisted's HTTP client is imported only by those that need it.
        from txlb.clients import TLSPolicy  # noqa: PLC0415 - see above

        TLSPolicy(ca, clientCertificate)
        self._account |= {"password": password, "ca": ca, "clientCertificate": clientCertificate}
        if self._client is not None:
            self._client.replaceCredentials(password, ca, clientCertificate)

    def drain(self) -> None:
        """
        Let balancers give the host nothing new from now on. It stays announced.
        """
        self._say("drain")

    def ready(self) -> None:
        """
        Let balancers give the host connections again.
        """
        self._say("ready")

    def _say(self, state: str) -> None:
        self.announcement.state = state
        if self._client is not None:
            self._again = True
            self._work()

    # Work

    def _work(self) -> None:
        """
        Renew the lease, and write what the registry does not have.
        """
        if self._working is None and self._client is not None and self._retry is not None:
            self._retry.stop()
            self._again = False
            working = self._working = Deferred.fromCoroutine(self._announce(self._client))
            working.addCallbacks(self._good, self._failed)

    async def _announce(self, client: EtcdClient) -> None:
        if self._lease and not await client.renew(self._lease):
            self._lease = 0
        if not self._lease:
            self._written = None
            self._lease = await client.grant(self._ttl)
        value = self._value
        if value != self._written:
            await self._write(client, value[1])
            self._written = value

    async def _write(self, client: EtcdClient, value: bytes) -> None:
        """
        Write the key, unless another living process has it.

        @raise TxlbError: another one has it.
        """
        there = await client.get(self.key)
        if there is not None and there.lease not in {self._lease, 0}:
            try:
                address = json.loads(there.value)["address"]
            except (ValueError, TypeError, KeyError):
                address = None
            if address != self.announcement.host.address:
                raise TxlbError(
                    f"another process announces {self.key}, at {address}; give one of the two "
                    "another name"
                )
        await client.put(self.key, value, self._lease)

    def _good(self, _: None) -> None:
        self._working = None
        self.announcement.announced()
        if self._retry is not None and self._client is not None:
            if self._again:
                self._work()
            else:
                self._retry.again(self._ttl / RENEWALS)

    def _failed(self, reason: Failure) -> None:
        self._working = None
        if self._client is None:
            return
        self.announcement.failed(reason)
        if self._retry is not None:
            self._retry.later()
