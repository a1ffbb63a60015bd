"""
Announcing by messages: a balanced application tells balancers that it is there.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from txlb._reactor import pickedReactor
from txlb.deadlines import Deadline, Deadlines
from txlb.discovery._entries import MAX_MESSAGE
from txlb.discovery._foundhost import FoundHost
from txlb.discovery._hostreport import HostReport
from txlb.errors import ModelError, TxlbError
from txlb.model import checkClock, checkName
from txlb.model.kinds import BROKERS, DESTINATION, Seconds
from txlb.wire import AgentReply

if TYPE_CHECKING:
    from txlb.clients import StompClient

#: How often a host is announced in the time for which it is there after a message.
MESSAGES = 3

#: Seconds that the broker has at the end, beside C{drainTime}.
PATIENCE = 3.0

_TTL = Seconds(1.0, 3600.0)
_DRAIN = Seconds(0.0, 3600.0)

_log = Logger()


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
        checkName("service", service)
        checkName("group", group)
        self._place = {"service": service, "group": group}
        self._host = FoundHost(
            address.replace("/", "-") if name is None else name,
            address,
            weight,
            priority,
            metadata=metadata or {},
        )
        self._destination = DESTINATION.check(destination, "destination of an announcement")
        self._ttl = float(_TTL.check(ttl, "ttl of an announcement"))
        self._drainTime = float(_DRAIN.check(drainTime, "drainTime of an announcement"))
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
        self._report = HostReport(AgentReply if report is None else report)
        self._reactor = reactor
        self._seconds, self._now = seconds, now
        self._deadlines: Deadlines | None = None
        self._client: StompClient | None = None
        self._again: Deadline | None = None
        self._sequence = 0
        self._state = "ready"
        size = len(self._message(self._ttl))
        # A report may have some more.
        if size > MAX_MESSAGE - 1024:
            raise ModelError(
                f"the announcement of {self._host.name!r} has {size} bytes, which are too many for "
                f"a message of {MAX_MESSAGE}; give it less metadata"
            )
        # The state that a broker has confirmed last, while it is there.
        self._confirmed = ""
        self._trouble = ""

    @property
    def announced(self) -> bool:
        """
        Whether a broker has the host as it is.
        """
        return self._confirmed == self._state

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
            self._reactor, self._settings, deadlines, up=self._say, down=self._lost
        )
        self._state, self._confirmed, self._trouble = "ready", "", ""
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
        deadlines = self._deadlines
        leaving = Deferred.fromCoroutine(self._leave(client, deadlines))
        late = deadlines.patience(self._drainTime + PATIENCE, leaving.cancel)
        leaving.addErrback(self._notGone)

        def ended(_: object) -> Deferred[None]:
            late.cancel()
            self._confirmed = ""
            return client.stop().addCallback(lambda _: deadlines.stop())

        return leaving.addCallback(ended)

    async def _leave(self, client: StompClient, deadlines: Deadlines) -> None:
        if not client.isUp:
            return
        self._state = "drain"
        await client.deliver(self._destination, self._message(self._ttl))
        over: Deferred[None] = Deferred(lambda _: deadline.cancel())
        deadline = deadlines.after(self._drainTime, lambda: over.callback(None))
        await over
        await client.deliver(self._destination, self._message(0))

    def _notGone(self, reason: Failure) -> None:
        told = "no answer in time" if reason.check(CancelledError) else reason.getErrorMessage()
        _log.warn(
            "{host} could not take leave, and is gone after {ttl} s: {reason}",
            host=self._host.name,
            ttl=self._ttl,
            reason=told,
        )

    def drain(self) -> None:
        """
        Let balancers give the host nothing new from now on. It stays announced.
        """
        self._state = "drain"
        self._say()

    def ready(self) -> None:
        """
        Let balancers give the host connections again.
        """
        self._state = "ready"
        self._say()

    # Work

    def _message(self, ttl: float) -> bytes:
        self._sequence += 1
        reported, _ = self._report.entry(self._state, self._seconds())
        entry = {**self._place, **self._host.asDict(), **reported}
        message = {"ttl": ttl, "sequence": self._sequence, "hosts": [entry]}
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
        state = self._state
        saying = client.deliver(self._destination, self._message(self._ttl))
        saying.addCallbacks(lambda _: self._said(state), self._notSaid)

    def _said(self, state: str) -> None:
        self._confirmed = state
        if self._trouble:
            self._trouble = ""
            _log.info("{host} is announced again", host=self._host.name)

    def _notSaid(self, reason: Failure) -> None:
        if reason.check(TxlbError) is None:
            _log.failure("{host} could not be announced", reason, host=self._host.name)
        self._lost(reason.getErrorMessage())

    def _lost(self, reason: str) -> None:
        self._confirmed = ""
        if self._client is not None and not self._client.isUp:
            self._stopRepeating()
        if not self._trouble:
            _log.warn(
                "{host} is not announced: {reason}; trying again",
                host=self._host.name,
                reason=reason,
            )
        self._trouble = reason
