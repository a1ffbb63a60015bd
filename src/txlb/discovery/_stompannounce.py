"""
Announcing by messages: a balanced application tells balancers that it is there.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed
from twisted.python.failure import Failure

from txlb._reactor import pickedReactor
from txlb.deadlines import Deadline, Deadlines
from txlb.discovery._announcement import Announcement
from txlb.discovery._entries import MAX_MESSAGE
from txlb.errors import ModelError
from txlb.model import checkClock
from txlb.model.kinds import BROKERS, DESTINATION, Seconds
from txlb.wire import AgentReply

if TYPE_CHECKING:
    from txlb.clients import StompClient, StompSettings

#: How often a host is announced in the time for which it is there after a message.
MESSAGES = 3

_TTL = Seconds(1.0, 3600.0)


class StompAnnounceService(Service):
    """
    Announces a host by messages through a broker of STOMP, for balancers that find their hosts by
    C{<discover from="stomp" .../>}. Make it the child of the application that is the host::

        StompAnnounceService(
            "stomp://127.0.0.1:61613", "web", "production", "127.0.0.1:7001"
        ).setServiceParent(application)

    A message is a document with the host, and is repeated three times in C{ttl}. So the host is
    gone C{ttl} seconds, and half of it, after the process has died or lost all brokers. When a
    broker is back, the host is announced again. Each message has a C{sequence} that is larger than
    those before it, also after a restart, so an old message that comes late changes nothing.

    When the service stops, the host says C{drain} first, waits C{drainTime} seconds, in which
    balancers give it nothing new and its connections go on, and then says that it is gone.

    @param url: the brokers, with spaces between them, in the order in which they are tried.
    @param service: the name of the balancer's service.
    @param group: the name of its group.
    @param address: the address at which balancers reach the host.
    @param name: the name of the host; by default its address.
    @param weight: see L{FoundHost}.
    @param destination: the topic of the messages.
    @param priority: see L{FoundHost}.
    @param metadata: see L{FoundHost}.
    @param report: returns what the host reports of itself, such as the C{reply} of an
        C{AgentService}: its load, its capacity, and whether it is to get nothing new. It is called
        for each message, and has to be quick.
    @param ttl: seconds for which the host is there after a message, 1 to 3600.
    @param drainTime: seconds from C{drain} to the end, 0 to 3600.
    @param user: a user of the broker; empty for none.
    @param password: the user's password.
    @param virtualHost: the virtual host of the broker.
    @param ca: certificates in PEM form that the brokers' have to be signed by; L{None} for those
        of the system.
    @param clientCertificate: a certificate in PEM form, with its key, that is shown to the
        brokers; L{None} for none.
    @param reactor: by default the global one, from when the service starts.
    @param seconds: a monotonic clock.
    @param now: the wall clock, in seconds since 1970.
    @ivar announcement: what is announced.
    @raise ModelError: something of it breaks a rule.
    """

    def __init__(
        self,
        url: str,
        service: str,
        group: str,
        address: str,
        name: str | None = None,
        weight: int = 1,
        destination: str = "/topic/txlb.hosts",
        *,
        priority: int = 0,
        metadata: Mapping[str, str] | None = None,
        report: Callable[[], AgentReply] | None = None,
        ttl: float = 6.0,
        drainTime: float = 1.0,
        user: str = "",
        password: str = "",
        virtualHost: str = "/",
        ca: bytes | None = None,
        clientCertificate: bytes | None = None,
        reactor: Any = None,
        seconds: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        # The client is imported only by those that need it.
        from txlb.clients import StompSettings  # noqa: PLC0415 - see above

        urls = BROKERS.check(url, "url of an announcement")
        if not urls:
            raise ModelError("url of an announcement is empty; it is one URL or more")
        self.announcement = Announcement(
            service, group, address, name, weight, priority, metadata, report, drainTime
        )
        self._destination = DESTINATION.check(destination, "destination of an announcement")
        self._ttl = float(_TTL.check(ttl, "ttl of an announcement"))
        checkClock(seconds)
        self._settings = StompSettings(
            urls,
            user=user,
            password=password,
            virtualHost=virtualHost,
            ca=ca,
            clientCertificate=clientCertificate,
            heartBeat=min(2.0, self._ttl / MESSAGES),
        )
        self._reactor = reactor
        self._seconds, self._now = seconds, now
        self._deadlines: Deadlines | None = None
        self._client: StompClient | None = None
        self._again: Deadline | None = None
        self._sequence = 0
        size = len(self._message(self._ttl))
        # A report may have some more.
        if size > MAX_MESSAGE - 1024:
            raise ModelError(
                f"the announcement of {self.announcement.label!r} has {size} bytes, which are too "
                f"many for a message of {MAX_MESSAGE}; give it less metadata"
            )
        # The state that a broker has confirmed last, while it is there.
        self._confirmed = ""

    @property
    def announced(self) -> bool:
        """
        Whether a broker has the host as it is.
        """
        return self._confirmed == self.announcement.state

    # Life

    def startService(self) -> None:
        """
        Announce the host.
        """
        from txlb.clients import StompClient  # noqa: PLC0415 - as above

        super().startService()
        self._reactor = pickedReactor(self._reactor)
        deadlines = self._deadlines = Deadlines(self._reactor, self._seconds)
        self._client = StompClient(
            self._reactor, self._present, deadlines, up=self._say, down=self._lost
        )
        self.announcement.begin()
        self._confirmed = ""
        # Larger than those of the process before this one.
        self._sequence = max(self._sequence, int(self._now() * 1e6))
        self._client.start()

    def stopService(self) -> Deferred[None]:
        """
        Say C{drain}, wait, and say that the host is gone.

        @return: fires with L{None} when that is done, or when the broker had its time for it. It
            does not fail.
        """
        super().stopService()
        client, self._client = self._client, None
        if client is None or self._deadlines is None:
            return succeed(None)
        self._stopRepeating()
        deadlines, leaving = self._deadlines, succeed(None)
        if client.isUp:
            leaving = self.announcement.leave(
                deadlines,
                self._ttl,
                lambda: client.deliver(self._destination, self._message(self._ttl)),
                lambda: client.deliver(self._destination, self._message(0)),
            )

        def ended(_: object) -> Deferred[None]:
            self._confirmed = ""
            return client.stop().addCallback(lambda _: deadlines.stop())

        return leaving.addCallback(ended)

    async def _present(self) -> StompSettings:
        return self._settings

    def replaceCredentials(
        self,
        password: str = "",
        ca: bytes | None = None,
        clientCertificate: bytes | None = None,
    ) -> None:
        """
        Use other credentials for the connections to come, as those before were renewed. The
        arguments are those with which the service is made.

        @raise ModelError: one of them can't be used. Nothing has changed then.
        """
        self._settings = replace(
            self._settings, password=password, ca=ca, clientCertificate=clientCertificate
        )

    def drain(self) -> None:
        """
        Let balancers give the host nothing new from now on. It stays announced.
        """
        self.announcement.state = "drain"
        self._say()

    def ready(self) -> None:
        """
        Let balancers give the host connections again.
        """
        self.announcement.state = "ready"
        self._say()

    # Work

    def _message(self, ttl: float) -> bytes:
        self._sequence += 1
        entry, _ = self.announcement.entry(self._seconds())
        hosts = [{**self.announcement.place, **entry}]
        message = {"ttl": ttl, "sequence": self._sequence, "hosts": hosts}
        return json.dumps(message).encode()

    def _stopRepeating(self) -> None:
        if self._again is not None:
            self._again.cancel()
            self._again = None

    def _say(self) -> None:
        """
        Announce the host now, and again and again.
        """
        client, deadlines = self._client, self._deadlines
        if client is None or deadlines is None or not client.isUp:
            return
        self._stopRepeating()
        self._again = deadlines.after(self._ttl / MESSAGES, self._say)
        state = self.announcement.state
        saying = client.deliver(self._destination, self._message(self._ttl))
        saying.addCallbacks(lambda _: self._said(state), self._notSaid)

    def _said(self, state: str) -> None:
        self._confirmed = state
        self.announcement.announced()

    def _notSaid(self, reason: Failure) -> None:
        self._confirmed = ""
        self.announcement.failed(reason)

    def _lost(self, reason: str) -> None:
        self._confirmed = ""
        self._stopRepeating()
        self.announcement.lost(reason)
