"""
Every seam of txlb, as interfaces: what a reader opens first.

A balancer is made of these parts, and each can be replaced by anything that
provides its interface:

  - an L{IScheduler} chooses the next L{IHost};
  - an L{IPreface} reads what comes before a connection's own bytes;
  - an L{IRelay} connects a client to the chosen host and moves the bytes;
  - an L{IHealthCheck} finds out whether a host is well;
  - an L{IResourceProbe} finds out what a host has left;
  - an L{IEventObserver} is told what has changed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from zope.interface import Attribute, Interface

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred

    from txlb.health import Target, Tools, Verdict
    from txlb.pool import Attempt, Event, Host, Outcome, Waiting
    from txlb.proxy import ClientConnection
    from txlb.resources import Option, ProbeTarget

__all__ = [
    "IEventObserver",
    "IExplainedScheduler",
    "IHealthCheck",
    "IHealthCheckKind",
    "IHost",
    "IPreface",
    "IRelay",
    "IResourceProbe",
    "IResourceProbePlugin",
    "ISamplingScheduler",
    "IScheduler",
    "ISchedulerPlugin",
    "ITimedScheduler",
]


class IHost(Interface):
    """
    What a scheduler may know of a host. Read-only to everybody but the pool
    that owns it.
    """

    key: tuple[str, str, str] = Attribute("The names of service, group and host.")
    weight: int = Attribute("The configured weight, 0 to 65535.")
    effectiveWeight: float = Attribute(
        "The weight to schedule by, above 0 while the host is ready: the "
        "configured one after slow start and load."
    )
    active: int = Attribute("Connections that are open or being opened now.")
    maxConnections: int | None = Attribute(
        "How many connections the host takes at most; None for no limit."
    )
    connectTime: float | None = Attribute(
        "Seconds that the last successful connect took; None before the first."
    )
    order: int = Attribute(
        "Where the host stands in its group's configuration: one that stands "
        "before another has a lower number."
    )


class IScheduler(Interface):
    """
    A policy: which of the ready hosts gets the next connection.

    The pool tells it of every change, so that a pick has nothing to scan. It
    holds only hosts that are ready and have room. It is not asked to keep
    time, to log or to count.
    """

    name: str = Attribute("The word for this policy in the configuration file.")

    def hostAdded(host: IHost) -> None:
        """
        A host became ready. It is not held yet.
        """

    def hostRemoved(host: IHost) -> None:
        """
        A host that is held is ready no more.
        """

    def hostChanged(host: IHost) -> None:
        """
        C{active}, C{effectiveWeight} or C{connectTime} of a held host changed. A
        policy with an attribute C{heedsConnectTime} that is false is not told
        where it is the last one alone, which would be once a connection.
        """

    def nextHost(
        clientAddr: object, excluded: frozenset[tuple[str, str, str]] = frozenset()
    ) -> IHost | None:
        """
        Choose a host. This may move the policy on (whose turn it is), but it
        claims nothing: the pool does, and tells by L{hostChanged}.

        @param clientAddr: the client's address, in most cases a tuple that
            begins with the IP address; only policies with affinity look at it.
        @param excluded: keys of hosts that must not be chosen.
        @return: a held host that is not excluded, or L{None}.
        """

    def explain(clientAddr: object) -> Mapping[tuple[str, str, str], float]:
        """
        A score for each held host, higher is likelier to be chosen, the highest
        first. It changes nothing.
        """


class IExplainedScheduler(IScheduler):
    """
    A policy that says more of its scores. What derives from
    L{txlb.schedulers.Scheduler} is one.
    """

    scoreMeans: str = Attribute("What a score is, in a few words.")
    predictable: bool = Attribute(
        "Whether the next pick chooses the host that explain() names first, if "
        "nothing changes until then; it does not where chance has a part in it."
    )


class ISamplingScheduler(IScheduler):
    """
    A policy that wants to know how long hosts take.
    """

    def hostSampled(host: IHost, seconds: float) -> None:
        """
        A held host took so long: to accept a connection, to not accept it until
        the time was over, or for what a L{txlb.pool.Lease} was told of.
        """


class ITimedScheduler(IScheduler):
    """
    A policy that has something to do by time, such as to build tables. It is
    never done on a pick: the pool's driver calls L{advance} when it is due.
    """

    def nextDeadline() -> float | None:
        """
        When L{advance} has something to do next, in seconds of the pool's
        clock; L{None} for not before something else happens.
        """

    def advance(now: float) -> None:
        """
        Do what is due by C{now}, for a few milliseconds at most; what is left
        gets a deadline of its own.
        """


class ISchedulerPlugin(Interface):
    """
    A scheduler of a third party. An object in a module of C{twisted.plugins} that provides
    this is a plugin. In most cases it is a L{txlb.schedulers.SchedulerKind}.
    """

    word: str = Attribute("The word for the policy in configuration files and programs.")
    maker: Callable[..., IScheduler] = Attribute(
        "Makes one. It is called with a random.Random, and by keyword with "
        "those settings of the group that it wants."
    )
    summary: str = Attribute("Which host is the next one, in half a sentence.")
    chooseWhen: str = Attribute("When to choose it, in half a sentence.")
    wants: tuple[str, ...] = Attribute(
        "The settings that the maker wants, and 'seconds' for a monotonic clock."
    )
    maxHosts: int | None = Attribute("How many hosts it takes at most; None for any number.")


class IPreface(Interface):
    """
    What comes before a connection's own bytes (a PROXY header, a TLS
    ClientHello to look at), read without I/O: bytes go in, verdicts come out.
    """

    maxBytes: int = Attribute("How many bytes may be fed before it must decide.")
    timeout: float = Attribute("Seconds that the client has for all of it.")

    def feed(data: bytes) -> object:
        """
        Take the next bytes of the client.

        @return: C{NeedMore}, C{Done} or C{Reject} of L{txlb.wire}.
        """


class IRelay(Interface):
    """
    Connects accepted clients to their hosts and moves the bytes both ways,
    with backpressure and half-close.

    Everything that a relay has to know of its client's search for a host is in
    the attempt: it connects to C{attempt.address} before C{attempt.deadline},
    says C{attempt.connected()} or C{attempt.failed(failure)}, goes where the
    answer of the latter points, and releases the lease exactly once. If
    C{attempt.addresses} has several, it tries them side by side until
    C{attempt.latest}, and says C{attempt.reached(address)} before
    C{attempt.connected()}.
    """

    name: str = Attribute("The word for this relay: C{portable} or C{fast}.")

    def start(
        client: ClientConnection,
        attempt: Attempt | Waiting,
        toHost: bytes = b"",
        toClient: bytes = b"",
    ) -> None:
        """
        Take over a connection. Its socket belongs to the relay from here.

        @param client: an accepted connection. The relay takes its socket and does not
            keep the object.
        @param attempt: the first host to try, or the client's place in the
            queue. A client that waits is not read; where it goes away, its dial
            is cancelled within a second or two, as far as that can be seen.
        @param toHost: bytes to send to the host before the client's own.
        @param toClient: bytes to send to the client before the host's own.
        """

    def connectionCount() -> int:
        """
        How many connections this relay has, those being opened included.
        """

    def clientAddrs() -> list[object]:
        """
        The client of each of them, as its dial has it.
        """

    def abortAll() -> None:
        """
        Reset every connection of this relay.
        """

    def leaveHost(host: Host, outcome: Outcome) -> None:
        """
        Reset the connections that are at a host.

        @param outcome: how they end. Connections that are only being opened go
            on to another host; with C{HOST_DOWN} they are left alone, as
            connecting tells by itself.
        """

    def noteOrigins() -> None:
        """
        Somebody asks for the clients behind hosts' connections from now on: note
        those that there are, and each new one, as L{txlb.proxy.Origins} says.
        """


class IHealthCheck(Interface):
    """
    A way to find out whether a host is well. One is made for each host that is
    checked with it; its checks don't overlap.

    It keeps no time and counts nothing: the heartbeat begins each check, cancels
    one that takes too long, and reports what was found to the pool, which
    counts.
    """

    def check(target: Target) -> Deferred[Verdict]:
        """
        Check the host once. It takes a bounded number of bytes of an answer.

        @return: fires with what was found. It fails only for errors of its own,
            which are logged and say nothing of the host. Cancelled, it frees
            everything at once, and may fire with what it was waiting for.
        """


class IResourceProbe(Interface):
    """
    A way to find out what a host has left of itself. One is made for each host
    that is asked with it; its probes don't overlap.

    It keeps no time and smooths nothing: the monitor begins each probe, cancels
    one that takes too long, and reports what was found to the pool.
    """

    def probe(target: ProbeTarget) -> Deferred[float | None]:
        """
        Ask the host once. It takes a bounded number of bytes of an answer.

        @return: fires with what the host has left, from 0 for nothing to 1 for
            all, or with L{None} where the answer does not say. It fails where
            nothing was found out, with L{txlb.resources.ProbeFailed} or an error
            of connecting; that never takes the host down. Cancelled, it frees
            everything at once.
        """


class IResourceProbePlugin(Interface):
    """
    A kind of probe. An object in a module of C{twisted.plugins} that provides this is a
    plugin. In most cases it is a L{txlb.resources.ProbeKind}.
    """

    word: str = Attribute("The word for it in configuration files and programs.")
    doc: str = Attribute("What it does, in a sentence or two of reStructuredText.")
    make: Callable[..., IResourceProbe] = Attribute(
        "Makes one for a host, from the values of all its options and the reactor."
    )
    options: tuple[Option, ...] = Attribute("What it has of its own.")


class IHealthCheckKind(Interface):
    """
    A kind of health check. An object in a module of C{twisted.plugins} that provides this is
    a plugin. In most cases it is a L{txlb.health.CheckKind}.
    """

    word: str = Attribute("Its word in the configuration file.")
    doc: str = Attribute("What it does, in a sentence or two of reStructuredText.")
    options: Sequence[Option] = Attribute("What it has of its own.")
    inFiles: bool = Attribute("Whether a configuration file can ask for it.")

    def make(options: Mapping[str, object], tools: Tools) -> IHealthCheck:
        """
        Make one for a host.

        @param options: the values of all its options.
        @param tools: what checks are made with.
        @raise txlb.errors.ModelError: the options don't go together.
        """


class IEventObserver(Interface):
    """
    A callable that is told of every change, after it has happened. It can't
    veto; what it raises is logged and harms nobody.
    """

    def __call__(event: Event) -> None:
        """
        Something has changed.
        """
