"""
The list of metrics.

The writer and the reference of the documentation are made of it. The names follow the
conventions of Prometheus: base units, C{_total} for what only grows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import Any

from txlb.admin.metrics._family import Family, Kind, counter, gauge
from txlb.pool import Outcome

_SERVICE = ("service",)
_GROUP = ("service", "group")
_HOST = ("service", "group", "host")


def _one(_thing: object) -> int:
    return 1


def _checked(get: Callable[[Any], object]) -> Callable[[Any], object]:
    """
    Make the value of a host that is only there if the host is checked.
    """
    return lambda host: get(host) if host.health.last is not None else None


def _short(seconds: float | None) -> str | None:
    """
    Write a time with six digits, which takes a third of the time that all digits take.
    """
    return None if seconds is None else f"{seconds:.6g}"


def _checkAge(host: Any, now: float) -> int | None:
    return None if host.health.last is None else int(now - host.health.lastAt)


def _loadAge(host: Any, now: float) -> int | None:
    return None if host.load is None else int(now - host.load.at)


def _total(name: str) -> Callable[[Any], object]:
    return lambda group: group.total(name)


def _outcomes(group: Any) -> Mapping[str, int]:
    counters = group.pool.counters
    done = counters.durations.count - sum(
        count
        for outcome, count in counters.outcomes.items()
        if outcome not in {Outcome.NOT_CONNECTED.value, Outcome.CLIENT_GONE.value}
    )
    return {Outcome.DONE.value: done, **counters.outcomes}


#: Of the process and the balancer as a whole.
BALANCER: Sequence[Family] = (
    gauge(
        "txlb_build_info",
        "Always 1; the labels have the versions of what runs",
        ("version", "python", "implementation", "twisted"),
        lambda balancer: balancer.process.build,
    ),
    gauge(
        "txlb_connections",
        "Connections of all services",
        (),
        attrgetter("connections"),
        always=False,
    ),
    gauge(
        "txlb_connections_limit",
        "The most connections at once that the limit of descriptors allows",
        (),
        attrgetter("limit"),
        always=False,
    ),
    gauge(
        "txlb_certificate_faults",
        "Faults of files of certificates; the certificates that were right before are in use",
        (),
        attrgetter("faults"),
    ),
    counter(
        "process_cpu_seconds_total",
        "Seconds of CPU that the process has used",
        (),
        attrgetter("process.cpuSeconds"),
    ),
    gauge(
        "process_resident_memory_bytes",
        "Resident memory of the process in bytes",
        (),
        attrgetter("process.residentBytes"),
        always=False,
    ),
    gauge(
        "process_virtual_memory_bytes",
        "Size of the address space of the process in bytes",
        (),
        attrgetter("process.virtualBytes"),
        always=False,
    ),
    gauge(
        "process_open_fds",
        "Descriptors that are open; left out if counting them would take long",
        (),
        attrgetter("process.descriptors"),
        always=False,
    ),
    gauge(
        "process_max_fds",
        "The limit of open descriptors",
        (),
        attrgetter("process.limit"),
        always=False,
    ),
    gauge(
        "process_start_time_seconds",
        "When the process was started, in seconds since 1970",
        (),
        attrgetter("process.startSeconds"),
        always=False,
    ),
)

#: Of each L{txlb.pool.ServiceSnapshot}.
SERVICES: Sequence[Family] = (
    gauge(
        "txlb_service_active_connections",
        "Connections of the service",
        _SERVICE,
        attrgetter("active"),
    ),
    counter(
        "txlb_service_accepted_connections_total",
        "Connections that were accepted and not refused",
        _SERVICE,
        attrgetter("accepted"),
    ),
    counter(
        "txlb_service_refused_connections_total",
        "Connections that were closed before they reached a host, by reason",
        ("service", "reason"),
        attrgetter("refused"),
    ),
    gauge(
        "txlb_service_accepting",
        "1 if the service accepts clients, else 0",
        _SERVICE,
        lambda service: 0 if service.notAccepting else 1,
    ),
)

#: Of each L{GroupFacts}.
GROUPS: Sequence[Family] = (
    gauge(
        "txlb_group_enabled",
        "1 if the group is the one that gets its service's clients by configuration, else 0",
        _GROUP,
        lambda group: 1 if group.snapshot.enabled else 0,
    ),
    gauge(
        "txlb_group_serving",
        "1 if the group gets its service's clients now, else 0",
        _GROUP,
        lambda group: 1 if group.serving else 0,
    ),
    gauge(
        "txlb_group_scheduler_info",
        "Always 1; the label has the policy that is in use",
        ("service", "group", "scheduler"),
        lambda group: {group.snapshot.scheduler: 1},
    ),
    gauge(
        "txlb_group_hosts",
        "Hosts that are configured or found",
        _GROUP,
        lambda group: len(group.hosts),
    ),
    gauge(
        "txlb_group_ready_hosts",
        "Hosts that may be chosen for the next client",
        _GROUP,
        attrgetter("snapshot.ready"),
    ),
    gauge(
        "txlb_group_up_hosts",
        "Hosts that are up or unchecked, without backup hosts",
        _GROUP,
        attrgetter("snapshot.up"),
    ),
    gauge(
        "txlb_group_leaving_hosts",
        "Hosts that were removed and have connections left",
        _GROUP,
        lambda group: len(group.leaving),
    ),
    gauge(
        "txlb_group_backup_used",
        "1 if the backup hosts of the group are used, else 0",
        _GROUP,
        lambda group: 1 if group.snapshot.backupUsed else 0,
    ),
    gauge(
        "txlb_group_all_down",
        "1 if no host is up, else 0",
        _GROUP,
        lambda group: 1 if group.snapshot.allDown else 0,
    ),
    gauge(
        "txlb_group_scheduler_replaced",
        "1 if the configured policy raised an error and another one stands in for it, else 0",
        _GROUP,
        lambda group: 1 if group.snapshot.replaced else 0,
    ),
    gauge(
        "txlb_group_active_connections",
        "Connections that are open or being opened",
        _GROUP,
        lambda group: group.active(),
    ),
    counter(
        "txlb_group_connections_total",
        "Connections that were established, those to hosts that are gone included",
        _GROUP,
        _total("connections"),
    ),
    counter(
        "txlb_group_connect_failures_total",
        "Connections that were not established, those to hosts that are gone included",
        _GROUP,
        _total("failures"),
    ),
    counter(
        "txlb_group_in_bytes_total",
        "Bytes from clients to hosts, those that are gone included",
        _GROUP,
        _total("bytesIn"),
    ),
    counter(
        "txlb_group_out_bytes_total",
        "Bytes from hosts to clients, those of hosts that are gone included",
        _GROUP,
        _total("bytesOut"),
    ),
    counter(
        "txlb_group_retries_total",
        "Hosts that were tried for a client after another one had failed",
        _GROUP,
        attrgetter("pool.counters.retries"),
    ),
    gauge(
        "txlb_group_waiting_clients",
        "Clients that wait until a host has room",
        _GROUP,
        attrgetter("snapshot.waiting"),
    ),
    gauge(
        "txlb_group_waiting_clients_limit",
        "The most clients that may wait",
        _GROUP,
        attrgetter("snapshot.maxQueue"),
    ),
    counter(
        "txlb_group_waited_clients_total",
        "Clients that have begun to wait until a host has room",
        _GROUP,
        attrgetter("pool.counters.queued"),
    ),
    counter(
        "txlb_group_connection_ends_total",
        "Ends of connections and of attempts to connect, by outcome",
        ("service", "group", "outcome"),
        _outcomes,
    ),
    Family(
        "txlb_group_connect_duration_seconds",
        Kind.HISTOGRAM,
        "Seconds that successful connects to hosts took",
        _GROUP,
        attrgetter("pool.counters.connectTimes"),
    ),
    Family(
        "txlb_group_connection_duration_seconds",
        Kind.HISTOGRAM,
        "Seconds that connections to hosts lasted",
        _GROUP,
        attrgetter("pool.counters.durations"),
    ),
)

#: Of each L{txlb.pool.Host} that is configured.
HOSTS: Sequence[Family] = (
    gauge(
        "txlb_host_up",
        "1 if the health of the host allows it clients, else 0",
        _HOST,
        lambda host: 1 if host.held or host.isIn else 0,
    ),
    gauge(
        "txlb_host_ready",
        "1 if the host may be chosen for the next client, else 0",
        _HOST,
        lambda host: 1 if host.held else 0,
    ),
    gauge(
        "txlb_host_state",
        "1 for the state that the host is in; other states have no sample",
        ("service", "group", "host", "state"),
        attrgetter("stateWord"),
    ),
    Family(
        "txlb_host_state_seconds",
        Kind.GAUGE,
        "Seconds since the host has come into its state; if it is down, since it went down",
        _HOST,
        lambda host, now: int(now - host.since),
        timed=True,
    ),
    gauge(
        "txlb_host_active_connections",
        "Connections that are open or being opened",
        _HOST,
        attrgetter("active"),
    ),
    gauge(
        "txlb_host_pending_connections",
        "Connections that are being opened",
        _HOST,
        attrgetter("pending"),
    ),
    gauge(
        "txlb_host_connections_limit",
        "The most connections that the host gets at once, if there is a limit",
        _HOST,
        attrgetter("maxConnections"),
        always=False,
    ),
    counter(
        "txlb_host_connections_total",
        "Connections that were established",
        _HOST,
        attrgetter("counters.connections"),
    ),
    counter(
        "txlb_host_connect_failures_total",
        "Connections that were not established",
        _HOST,
        attrgetter("counters.failures"),
    ),
    counter(
        "txlb_host_in_bytes_total",
        "Bytes from clients to the host",
        _HOST,
        attrgetter("counters.bytesIn"),
    ),
    counter(
        "txlb_host_out_bytes_total",
        "Bytes from the host to clients",
        _HOST,
        attrgetter("counters.bytesOut"),
    ),
    gauge(
        "txlb_host_last_connect_seconds",
        "Seconds that the last successful connect took",
        _HOST,
        lambda host: _short(host.connectTime),
        always=False,
    ),
    gauge(
        "txlb_host_weight",
        "The configured weight",
        _HOST,
        attrgetter("configured.weight"),
    ),
    gauge(
        "txlb_host_effective_weight",
        "The weight after slow start and load",
        _HOST,
        attrgetter("effectiveWeight"),
    ),
    gauge(
        "txlb_host_backup",
        "1 if it is a backup host, else 0",
        _HOST,
        lambda host: 1 if host.configured.backup else 0,
    ),
    counter(
        "txlb_host_downs_total",
        "How often the host was marked down",
        _HOST,
        attrgetter("counters.downs"),
    ),
    Family(
        "txlb_host_down_seconds_total",
        Kind.COUNTER,
        "Seconds in which the host was marked down",
        _HOST,
        lambda host, now: round(host.downTime(now), 3),
        timed=True,
    ),
    Family(
        "txlb_host_load_age_seconds",
        Kind.GAUGE,
        "Seconds since the host has reported its load",
        _HOST,
        _loadAge,
        always=False,
        timed=True,
    ),
    gauge(
        "txlb_host_load",
        "The load that the host has reported, from 0 for idle to 1",
        _HOST,
        lambda host: None if host.load is None else 1 - host.load.available,
        always=False,
    ),
    gauge(
        "txlb_host_check_passed",
        "1 if the last check of the host has passed, else 0; only for hosts that are checked",
        _HOST,
        _checked(lambda host: 1 if host.health.last.passed else 0),
        always=False,
    ),
    counter(
        "txlb_host_checks_total",
        "Checks that have ended, only for hosts that are checked",
        _HOST,
        _checked(attrgetter("counters.checks")),
        always=False,
    ),
    counter(
        "txlb_host_check_failures_total",
        "Checks that have failed, only for hosts that are checked",
        _HOST,
        _checked(attrgetter("counters.checkFailures")),
        always=False,
    ),
    gauge(
        "txlb_host_last_check_duration_seconds",
        "Seconds that the last check took, only for hosts that are checked",
        _HOST,
        _checked(lambda host: _short(host.health.last.duration)),
        always=False,
    ),
    Family(
        "txlb_host_last_check_age_seconds",
        Kind.GAUGE,
        "Seconds since the last check has ended, only for hosts that are checked",
        _HOST,
        _checkAge,
        always=False,
        timed=True,
    ),
)

#: Of each listener, with its address.
LISTENERS: Sequence[Family] = (
    gauge(
        "txlb_listener_accepting",
        "1 if the listener accepts connections, else 0; a sample for each address",
        ("listener", "service", "address"),
        lambda listener: 1 if listener["accepting"] else 0,
    ),
)

#: Of each process of a cloned application.
PROCESSES: Sequence[Family] = (
    gauge(
        "txlb_process_info",
        "Always 1; the labels tell what the process does",
        ("service", "group", "process", "role", "state", "pid", "generation"),
        _one,
    ),
    gauge(
        "txlb_process_connections",
        "Connections of the process",
        ("service", "group", "process"),
        lambda process: process["connections"],
    ),
    gauge(
        "txlb_process_lag_seconds",
        "The longest time in seconds that the reactor of the process was held lately",
        ("service", "group", "process"),
        lambda process: process["lag"],
        always=False,
    ),
    gauge(
        "txlb_process_memory_bytes",
        "Resident memory of the process in bytes",
        ("service", "group", "process"),
        lambda process: process["memory"],
        always=False,
    ),
)

#: Of each certificate of listeners.
CERTIFICATES: Sequence[Family] = (
    gauge(
        "txlb_certificate_expiry_timestamp_seconds",
        "When the certificate expires, in seconds since 1970",
        ("file", "name", "fingerprint"),
        lambda certificate: certificate["expires"],
    ),
)

#: Of the cluster that the balancer is a member of.
CLUSTERS: Sequence[Family] = (
    gauge(
        "txlb_cluster_connected",
        "1 if the balancer is a member of its cluster for sure, else 0",
        ("cluster",),
        lambda cluster: 1 if cluster.connected else 0,
    ),
    gauge(
        "txlb_cluster_leads",
        "1 if the balancer leads its cluster for sure, else 0",
        ("cluster",),
        lambda cluster: 1 if cluster.leads else 0,
    ),
    gauge(
        "txlb_cluster_term",
        "The term of the leader that the balancer knows; 0 for no leader",
        ("cluster",),
        attrgetter("term"),
    ),
    gauge(
        "txlb_cluster_changes_behind",
        "Shared changes that the balancer knows and has not made",
        ("cluster",),
        attrgetter("lag"),
    ),
    gauge(
        "txlb_cluster_members",
        "Members of the cluster that the balancer knows",
        ("cluster",),
        lambda cluster: len(cluster.members),
    ),
    gauge(
        "txlb_cluster_differing_members",
        "Members whose services are not the same as those of the balancer",
        ("cluster",),
        lambda cluster: len(cluster.differing),
    ),
)

#: Of each group that has a source of hosts.
SOURCES: Sequence[Family] = (
    gauge(
        "txlb_source_answers",
        "1 if the source of hosts has an answer now, else 0",
        (*_GROUP, "source"),
        lambda found: 0 if found[0].trouble or found[1] is None else 1,
    ),
    gauge(
        "txlb_source_age_seconds",
        "Seconds since the source of hosts has answered",
        (*_GROUP, "source"),
        lambda found: _short(found[1]),
    ),
    gauge(
        "txlb_source_hosts",
        "Hosts in the last answer of the source that is used",
        (*_GROUP, "source"),
        lambda found: found[0].hosts,
    ),
    gauge(
        "txlb_source_answer_held",
        "1 if an answer is held back, as it leaves out too many hosts, else 0",
        (*_GROUP, "source"),
        lambda found: 0 if found[0].held is None else 1,
    ),
    gauge(
        "txlb_source_skipped_entries",
        "Entries of the last answer that are wrong, and passed over",
        (*_GROUP, "source"),
        lambda found: len(found[0].wrong),
    ),
)

#: Of each topic to which events are published.
PUBLISHERS: Sequence[Family] = (
    counter(
        "txlb_events_published_total",
        "Events that were sent to a broker, or wait for one",
        ("topic",),
        attrgetter("published"),
    ),
    counter(
        "txlb_events_dropped_total",
        "Events that were dropped, as no broker took them",
        ("topic",),
        attrgetter("dropped"),
    ),
    gauge(
        "txlb_events_broker_up",
        "1 if a broker takes events now, else 0",
        ("topic",),
        lambda publisher: 1 if publisher.isUp else 0,
    ),
)

#: All, in the order in which they are written.
FAMILIES: Sequence[Family] = (
    *BALANCER,
    *LISTENERS,
    *SERVICES,
    *GROUPS,
    *HOSTS,
    *PROCESSES,
    *CERTIFICATES,
    *CLUSTERS,
    *SOURCES,
    *PUBLISHERS,
)
