"""
The interfaces of txlb's parts. Read this module first.

A balancer is made of these parts, and any provider of an interface can replace
one:

  - an L{IScheduler} chooses the next L{IHost};
  - an L{IPreface} reads the bytes that come before a connection's own;
  - an L{IRelay} connects a client to the chosen host and moves the bytes;
  - an L{IHealthCheck} finds out whether a host is well;
  - an L{IResourceProbe} finds out what a host has left;
  - an L{IHostSource} finds the hosts of a group;
  - an L{IEventObserver} is told of each change.

An application that is cloned shows its processes as L{IClones} to an L{IControlDoor}, which
answers the clients of its control socket. If it has hosts beside its clones, an
L{IHostRelayPlugin} starts an L{IHostRelay} for their connections.

A balancer that is upgraded hands its state to its successor. An L{IKeptState} is one part of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from zope.interface import Attribute, Interface

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred

    from txlb.discovery import FoundHost, SourceTools
    from txlb.health import Target, Tools, Verdict
    from txlb.manager import ProxyManager
    from txlb.pool import Attempt, Event, Host, Lease, Outcome, Waiting
    from txlb.proxy import ClientConnection
    from txlb.resources import Option, ProbeTarget

__all__ = [
    "IClones",
    "IControlClients",
    "IControlDoor",
    "IDrainable",
    "IEventObserver",
    "IExplainedScheduler",
    "IFindings",
    "IHealthCheck",
    "IHealthCheckKind",
    "IHost",
    "IHostRelay",
    "IHostRelayPlugin",
    "IHostSource",
    "IHostSourceKind",
    "IKeptInParts",
    "IKeptScheduler",
    "IKeptState",
    "IPreface",
    "IRelay",
    "IResourceProbe",
    "IResourceProbePlugin",
    "ISamplingScheduler",
    "IScheduler",
    "ISchedulerPlugin",
    "ISettlingScheduler",
    "ITimedScheduler",
]


class IHost(Interface):
    """
    A host, as schedulers see it. Only the pool that owns it may change it.
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
        "The place of the host in its group's configuration: a host before another one "
        "has a lower number."
    )


class IDrainable(Interface):
    """
    A protocol that can finish by itself, or an object that is adapted from one. A clone
    that ends asks the protocols of its connections to do so.
    """

    def drain() -> None:
        """
        Finish the work under way, begin nothing more, and close the connection. It is
        closed after the grace time otherwise. This must not raise.
        """


class IScheduler(Interface):
    """
    A policy that chooses the host of the next connection among the ready ones.

    The pool reports every change to it, so that a pick has nothing to scan. A scheduler
    holds only hosts that are ready and have room. It keeps no time, logs nothing and counts
    nothing.
    """

    name: str = Attribute("The word for this policy in the configuration file.")

    def hostAdded(host: IHost) -> None:
        """
        Hold a host that became ready. It is not held yet.
        """

    def hostRemoved(host: IHost) -> None:
        """
        Hold a host no more, as it is not ready.
        """

    def hostChanged(host: IHost) -> None:
        """
        Take over a change of C{active}, C{effectiveWeight} or C{connectTime} of a held host.
        If the scheduler has an attribute C{heedsConnectTime} that is false, the pool does not
        report a change of the last one alone, which would be once a connection.
        """

    def nextHost(
        clientAddr: object, excluded: frozenset[tuple[str, str, str]] = frozenset()
    ) -> IHost | None:
        """
        Choose a host. This may change the state of the policy, such as the next turn. It does
        not change the host: the pool does, and reports it by L{hostChanged}.

        @param clientAddr: the client's address, in most cases a tuple that
            begins with the IP address; only policies with affinity look at it.
        @param excluded: keys of hosts that must not be chosen.
        @return: a held host that is not excluded, or L{None}.
        """

    def explain(clientAddr: object) -> Mapping[tuple[str, str, str], float]:
        """
        Return a score for each held host, the highest first. A host with a higher score is
        likelier to be chosen. This changes nothing.
        """


class IExplainedScheduler(IScheduler):
    """
    A scheduler that explains its scores. Subclasses of L{txlb.schedulers.Scheduler} are such
    schedulers.
    """

    scoreMeans: str = Attribute("The meaning of a score, in a few words.")
    predictable: bool = Attribute(
        "Whether the next pick chooses the first host of explain(), if nothing changes "
        "until then. It does not if chance has a part in it."
    )


class ISamplingScheduler(IScheduler):
    """
    A scheduler that uses the time that hosts take.
    """

    def hostSampled(host: IHost, seconds: float) -> None:
        """
        Take over the time that a held host took: to accept a connection, to fail to accept
        it before the timeout, or the time that was given to a L{txlb.pool.Lease}.
        """


class ITimedScheduler(IScheduler):
    """
    A scheduler that has work at certain times, such as building tables. That is
    never done on a pick: the pool's driver calls L{advance} when it is due.
    """

    def nextDeadline() -> float | None:
        """
        Return when L{advance} has something to do next, in seconds of the pool's
        clock; L{None} for not before another method is called.
        """

    def advance(now: float) -> None:
        """
        Do the work that is due by C{now}, for a few milliseconds at most. The rest of it
        gets a deadline of its own.
        """


class ISettlingScheduler(IScheduler):
    """
    A policy whose tables are not complete at once after a change of hosts or weights. The rest
    is the work of an L{ITimedScheduler}.
    """

    def settle(everything: bool) -> None:
        """
        Work on the tables, as a change has been made.

        @param everything: until they are complete, as there are no clients yet; otherwise
            for some 20 milliseconds at most.
        """


class IKeptScheduler(IScheduler):
    """
    A policy whose next choices depend on more than its hosts, such as whose turn it is. A
    balancer hands that to its successor.
    """

    def state() -> Mapping[str, object]:
        """
        Return what the next choices depend on, as plain values: dictionaries, lists, texts,
        numbers, booleans and L{None}. A held host is named by the last part of its key. Times
        are in seconds of the policy's clock.
        """

    def restoring(state: Mapping[str, object]) -> Callable[[], None]:
        """
        Read what the policy of another process has returned by L{state}. Keys that are unknown
        have no effect, and those that are missing stand for a new policy.

        @return: goes on as that policy. It is called after the hosts were added, and may be
            called when the policy has been used. Hosts that are not held are left out, and held
            ones that C{state} does not have stay as they are.
        @raise txlb.errors.StateError: a value can't be right.
        """


class ISchedulerPlugin(Interface):
    """
    A scheduler of a third party. An object in a module of C{twisted.plugins} that provides
    this is a plugin. In most cases it is a L{txlb.schedulers.SchedulerKind}.
    """

    word: str = Attribute("The word for the policy in configuration files and programs.")
    maker: Callable[..., IScheduler] = Attribute(
        "Makes a scheduler. It is called with a random.Random, and by keyword with those "
        "settings of the group that it wants."
    )
    summary: str = Attribute("Which host is the next one, in half a sentence.")
    chooseWhen: str = Attribute("When to choose it, in half a sentence.")
    wants: tuple[str, ...] = Attribute(
        "The settings that the maker wants, and 'seconds' for a monotonic clock."
    )
    maxHosts: int | None = Attribute("How many hosts it takes at most; None for any number.")


class IPreface(Interface):
    """
    A reader of the bytes that come before a connection's own (a PROXY header, a TLS
    ClientHello), without I/O: it takes bytes and returns verdicts.
    """

    maxBytes: int = Attribute("How many bytes it may take before it must decide.")
    timeout: float = Attribute("Seconds that the client has for the whole preface.")

    def feed(data: bytes) -> object:
        """
        Take the next bytes of the client.

        @return: C{NeedMore}, C{Done} or C{Reject} of L{txlb.wire}.
        """

    def end(reason: str) -> object:
        """
        Decide without more bytes, because the time is over or the client sends none.

        @param reason: which of both, for a C{Reject}.
        @return: C{Done} or C{Reject} of L{txlb.wire}.
        """


class IRelay(Interface):
    """
    A relay connects accepted clients to their hosts and moves the bytes both ways, with
    backpressure and half-close.

    The attempt has all that a relay needs of its client's search for a host. The relay connects
    to C{attempt.address} before C{attempt.deadline}. Then it calls C{attempt.connected()} or
    C{attempt.failed(failure)}, which returns the next attempt. It releases the lease exactly
    once. If C{attempt.addresses} has several addresses, the relay tries them side by side until
    C{attempt.latest}, and calls C{attempt.reached(address)} before C{attempt.connected()}.
    """

    name: str = Attribute("The word for this relay: C{portable} or C{fast}.")

    def start(
        client: ClientConnection,
        attempt: Attempt | Waiting,
        toHost: bytes = b"",
        toClient: bytes = b"",
        header: bytes = b"",
    ) -> None:
        """
        Take over a connection. Its socket belongs to the relay from here.

        @param client: an accepted connection. The relay takes its socket and does not
            keep the object.
        @param attempt: the first host to try, or the client's place in the
            queue. The relay does not read a client that waits. If the client goes away, the
            relay cancels its dial within a second or two, as far as the system reports that.
        @param toHost: bytes to send to the host before the client's own.
        @param toClient: bytes to send to the client before the host's own.
        @param header: bytes to send to the host before anything else, a TLS handshake included:
            a PROXY header.
        """

    def connectionCount() -> int:
        """
        Return how many connections this relay has, those being opened included.
        """

    def clientAddrs() -> list[object]:
        """
        Return the client's address of each connection, as its dial has it.
        """

    def abortAll() -> None:
        """
        Reset every connection of this relay.
        """

    def leaveHost(host: Host, outcome: Outcome) -> None:
        """
        Reset the connections to a host.

        @param outcome: how they end. Connections that are being opened go on to another host.
            With C{HOST_DOWN} they are left alone, as the attempt to connect will fail by
            itself.
        """

    def trackConnections() -> None:
        """
        Keep all connections in the table from now on, as something asks for the clients
        behind the connections of hosts; see L{txlb.proxy.ConnectionTable}.
        """


class IHealthCheck(Interface):
    """
    A check of one host's health. The checks of a host don't overlap.

    It keeps no time and counts nothing: the heartbeat begins each check, cancels
    one that takes too long, and reports the result to the pool, which counts.
    """

    def check(target: Target) -> Deferred[Verdict]:
        """
        Check the host once. The check reads a bounded number of bytes of an answer.

        @return: fires with the verdict. It fails only for errors of the check itself, which
            are logged and have no effect on the host. If it is cancelled, it frees everything at
            once, and may fire with a verdict that says what the check was waiting for.
        """


class IResourceProbe(Interface):
    """
    A probe that asks one host what it has left. The probes of a host don't overlap.

    It keeps no time and smooths nothing: the monitor begins each probe, cancels
    one that takes too long, and reports the result to the pool.
    """

    def probe(target: ProbeTarget) -> Deferred[float | None]:
        """
        Ask the host once. The probe reads a bounded number of bytes of an answer.

        @return: fires with the share that the host has left, from 0 for nothing to 1 for
            all, or with L{None} if the answer does not say. It fails with
            L{txlb.resources.ProbeFailed} or an error of connecting; that never puts the host
            out. If it is cancelled, it frees everything at once.
        """


class IResourceProbePlugin(Interface):
    """
    A kind of probe. An object in a module of C{twisted.plugins} that provides this is a
    plugin. In most cases it is a L{txlb.resources.ProbeKind}.
    """

    word: str = Attribute("The word for it in configuration files and programs.")
    doc: str = Attribute("Its effect, in a sentence or two of reStructuredText.")
    make: Callable[..., IResourceProbe] = Attribute(
        "Makes a probe of a host from the values of all its options and the reactor."
    )
    options: tuple[Option, ...] = Attribute("The options of this kind alone.")


class IHealthCheckKind(Interface):
    """
    A kind of health check. An object in a module of C{twisted.plugins} that provides this is
    a plugin. In most cases it is a L{txlb.health.CheckKind}.
    """

    word: str = Attribute("Its word in the configuration file.")
    doc: str = Attribute("Its effect, in a sentence or two of reStructuredText.")
    options: Sequence[Option] = Attribute("The options of this kind alone.")
    inFiles: bool = Attribute("Whether a configuration file can ask for it.")

    def make(options: Mapping[str, object], tools: Tools) -> IHealthCheck:
        """
        Make a check of a host.

        @param options: the values of all its options.
        @param tools: the objects that checks are made with.
        @raise txlb.errors.ModelError: the options don't go together.
        """


class IFindings(Interface):
    """
    The receiver of what a source of hosts finds for one group. Its methods may be called at any
    time between L{IHostSource.start} and L{IHostSource.stop}, in the reactor's thread.
    """

    def found(hosts: Sequence[FoundHost], wrong: Sequence[str] = ()) -> None:
        """
        Take the whole set of hosts that are wanted now. What is not in it is to go.

        @param hosts: each with a name of its own.
        @param wrong: a sentence for each entry that could not be used, which names it.
        """

    def failed(reason: str) -> None:
        """
        Take note that the source has no answer. The last set stays.

        @param reason: the reason in a sentence or less, for the log and the status.
        """


class IHostSource(Interface):
    """
    A source of the hosts of one group: it watches something, such as a file or a registry, and
    says the whole set of hosts that are wanted, again and again.

    It decides nothing: it reports what it reads, and what it could not read. The group's
    discovery compares, holds back, and changes the group. A source keeps trying by itself until
    it is stopped, with a pause between tries that has an upper bound.
    """

    origin: str = Attribute(
        "The name of the source in the status, and of the hosts that it has found: its word, a "
        "colon and what tells it from others, such as C{file:hosts.json}; 1 to 255 printable "
        "characters."
    )

    def start(findings: IFindings) -> None:
        """
        Begin to watch.

        @param findings: receives what is found.
        """

    def stop() -> None:
        """
        Watch no more, and free everything at once. Nothing is reported after this.
        """


class IHostSourceKind(Interface):
    """
    A kind of source of hosts. An object in a module of C{twisted.plugins} that provides this is
    a plugin. In most cases it is a L{txlb.discovery.SourceKind}.
    """

    word: str = Attribute("The word for it in configuration files and programs.")
    doc: str = Attribute("Its effect, in a sentence or two of reStructuredText.")
    options: Sequence[Option] = Attribute("The options of this kind alone.")

    def make(options: Mapping[str, object], tools: SourceTools) -> IHostSource:
        """
        Make a source for a group.

        @param options: the values of all its options.
        @param tools: the objects that sources are made with.
        @raise txlb.errors.ModelError: the options don't go together.
        """


class IEventObserver(Interface):
    """
    A callable that is told of every change, after it has happened. It can't
    veto. An error that it raises is logged, and other observers are called.
    """

    def __call__(event: Event) -> None:
        """
        Take note of a change.
        """


class IClones(Interface):
    """
    The processes of a cloned application, as commands see and change them. The process that
    manages has it.
    """

    service: str = Attribute("The name of the service whose hosts are the clones.")
    manager: ProxyManager = Attribute(
        "The clones as hosts: each listener has a group, in which each clone is a host."
    )
    listeners: Mapping[str, str] = Attribute("The address of each listener, by its name.")
    passed: Mapping[str, str] = Attribute(
        "Why the manager accepts the connections of a listener and passes them to clones, by the "
        "listener's name. Of listeners that are not in it clones accept by permits."
    )
    past: Sequence[tuple[float, Event]] = Attribute(
        "The last hundred events, each with its time in seconds since 1970."
    )

    def processes() -> Sequence[Mapping[str, object]]:
        """
        Return what is known of each process. It has C{name}; C{role}, C{manager} or C{clone};
        C{pid}; C{slot}, -1 for a manager; C{generation}; C{state}; C{connections}; C{lag}, the
        longest time in seconds that its reactor was held lately; and C{memory}, its resident
        memory in bytes. The last two are L{None} as long as they are not known.
        """

    def add(name: str) -> int:
        """
        Start one more clone.

        @param name: the name of a place that is free, such as C{clone4}.
        @return: how many clones are wanted now.
        @raise txlb.errors.TxlbError: that can't be done, and why.
        """

    def remove(name: str, deadline: float | None = None, force: bool = False) -> int:
        """
        Let a clone finish what it has, and end; it is not replaced.

        @param deadline: seconds after which the connections that are left are reset, if that
            is less than the grace time; L{None} for the grace time.
        @param force: reset them at once.
        @return: how many clones are wanted now.
        @raise txlb.errors.TxlbError: that can't be done, and why.
        """

    def roll() -> Deferred[int]:
        """
        Replace the clones one by one by new processes, which read the application's files
        again.

        @return: fires with the new generation when all are replaced. It fails with a
            L{txlb.errors.TxlbError} if a new process does not start, and the reason is in the
            message; the old ones go on then.
        @raise txlb.errors.TxlbError: that can't begin now.
        """

    def upgrade() -> Deferred[int]:
        """
        Let a fresh process manage in the place of this one.

        @return: fires with its PID when it manages. It fails with a
            L{txlb.errors.TxlbError} if it does not start; this process goes on then.
        @raise txlb.errors.TxlbError: that can't begin now.
        """


class IControlClients(Interface):
    """
    The clients of a control socket.
    """

    def accepted(descriptor: int) -> None:
        """
        Take the connection of a client.

        @param descriptor: its socket, which belongs to this object from here.
        """

    def close() -> Deferred[None]:
        """
        Take no more, answer the requests under way, and close all connections.

        @return: fires with L{None} when they are closed, half a second later or little more.
            It does not fail.
        """


class IControlDoor(Interface):
    """
    A plugin that answers the clients of the control socket of a cloned application. It is
    looked for when the first client connects.
    """

    modules: Sequence[str] = Attribute(
        "The names of the modules that L{open} needs. They are imported before it is called, "
        "one in a turn of the reactor, so that nothing else waits for all of them."
    )

    def open(clones: IClones, reactor: object) -> IControlClients:
        """
        Be ready for clients.
        """


class IHostRelay(Interface):
    """
    Relays the connections of the hosts beside the clones of an application, and checks these
    hosts. The process that manages has it.
    """

    def take(number: int, descriptor: int, peer: object, lease: Lease) -> None:
        """
        Relay a connection that was accepted.

        @param number: the place of its listener among the listeners of the service.
        @param descriptor: its socket, which is the relay's from here.
        @param peer: the address of its client, as C{accept} gives it.
        @param lease: the claim on its host, which is the relay's from here.
        """

    def connectionCount() -> int:
        """
        Count the connections that are relayed.
        """

    def stop(graceTime: float) -> Deferred[None]:
        """
        Take nothing more, and wait for the connections to end.

        @param graceTime: seconds after which those that are left are reset.
        @return: fires with L{None} when there is none left. It does not fail.
        """


class IHostRelayPlugin(Interface):
    """
    A plugin that relays for the hosts beside the clones of an application. It is looked for
    when a process manages that has such hosts.
    """

    modules: Sequence[str] = Attribute(
        "The names of the modules that L{start} needs. They are imported before it is called, "
        "one in a turn of the reactor, so that nothing else waits for all of them."
    )

    def start(pools: ProxyManager, reactor: object) -> IHostRelay:
        """
        Begin to relay.

        @param pools: the manager of the hosts. It has one service, in which each listener has a
            group.
        @raise txlb.errors.ModelError: a check or the TLS of a host can't be used as it is
            configured.
        """


class IKeptState(Interface):
    """
    One part of what is true in a balancer now: the health of hosts, counters, live changes. If
    the balancer is upgraded its successor takes it over.

    Everything in a state is a plain value: a dictionary with texts as keys, a list, a text, a
    number, a boolean or L{None}. Times of the monotonic clock pass as they are, because both
    processes are on one machine.
    """

    name: str = Attribute("A word for the part, which no other part of the balancer has.")

    def state() -> object:
        """
        Return what is true now, without changing anything.
        """

    def restore(state: object) -> None:
        """
        Take over what another process has returned by L{state}, before anything is served. All of
        it is read before anything is changed. What the new configuration no longer has is left
        out. Keys that are unknown have no effect, and those that are missing stand for the usual
        value, because the other process may be of another release.

        @raise txlb.errors.StateError: a value can't be right. Then nothing has changed.
        """


class IKeptInParts(IKeptState):
    """
    A part of the state that may be large, such as thousands of hosts. The balancer takes most of
    it ahead, while it serves, and the rest in the moment in which it does not.
    """

    def ahead() -> Iterator[object]:
        """
        Begin anew, and yield the state in pieces. Each takes a few milliseconds, and
        L{IKeptState.restore} takes each one.
        """

    def rest() -> object:
        """
        Return what has changed since the pieces of the last L{ahead} were yielded. That is quick.
        L{IKeptState.restore} takes it after these pieces.
        """
