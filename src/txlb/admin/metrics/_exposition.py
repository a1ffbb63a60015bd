"""
The text of metrics.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import accumulate, repeat
from typing import TYPE_CHECKING, Any

from txlb.admin.metrics import _families as families
from txlb.admin.metrics._family import Family, Kind
from txlb.admin.metrics._labels import labelsOf
from txlb.admin.metrics._scene import Scene
from txlb.pool import Histogram

if TYPE_CHECKING:
    from txlb.admin._target import Target

#: Things whose samples are made at a time, which takes about 0.1 ms.
AT_ONCE = 500

#: The end of OpenMetrics.
EOF = b"# EOF\n"

#: A thing with the text of its labels.
Labelled = Sequence[tuple[str, Any]]


class Exposition:
    """
    The writer of metrics in both text formats of Prometheus. Owned by the door that serves
    them; it keeps the labels' texts of hosts from one scrape to the next, about 150 bytes for
    each host.

    The text is an iterable of slices, of which each takes less than a millisecond, so that the
    caller can serve clients between two of them. The values of one slice are those of its
    moment. A slice may be empty.

    Sources: "Exposition formats" of Prometheus, text format 0.0.4; OpenMetrics 1.0.0.

    @param target: the balancer, or the cloned application.
    """

    def __init__(self, target: Target) -> None:
        self._target = target
        self._labels: dict[tuple[str, str, str], str] = {}

    def text(self, openMetrics: bool = False) -> Iterator[bytes]:
        """
        Write all metrics.

        @param openMetrics: whether to write OpenMetrics 1.0, and not text format 0.0.4.
        @return: the slices of the text.
        """
        scene = Scene(self._target)
        for _ in scene.collecting():
            yield b""
        yield self._alone(families.BALANCER, scene.balancer, openMetrics)
        yield from _lists(
            (
                (families.LISTENERS, _labelled(scene.listeners, _listener)),
                (families.SERVICES, _labelled(scene.services, _service)),
                (families.GROUPS, _labelled(scene.groups, _group)),
            ),
            openMetrics,
        )
        labels = self._labelsOf(scene)
        yield b""
        for family in families.HOSTS:
            yield from _hostSamples(family, labels, scene, openMetrics)
        processes = _labelled(scene.processes, _process)
        for family in families.PROCESSES:
            things = processes
            if family.name.endswith("_info"):
                things = _labelled(scene.processes, _processInfo)
            yield from _samples(family, things, openMetrics)
        yield from _lists(
            (
                (families.CERTIFICATES, _labelled(scene.certificates, _certificate)),
                (families.CLUSTERS, _labelled(scene.clusters, _cluster)),
                (families.SOURCES, _labelled(scene.sources, _source)),
                (families.PUBLISHERS, _labelled(scene.publishers, _publisher)),
            ),
            openMetrics,
        )
        if openMetrics:
            yield EOF

    def _alone(self, group: Iterable[Family], balancer: object, openMetrics: bool) -> bytes:
        """
        Write the families of a thing that there is once.
        """
        parts = []
        for family in group:
            value = family.value(balancer)
            if value is None:
                continue
            parts.append(family.heading(openMetrics))
            if isinstance(value, Mapping):
                parts.append(f"{family.name}{labelsOf(**value)} 1\n")
            else:
                parts.append(f"{family.name} {value}\n")
        return "".join(parts).encode()

    def _labelsOf(self, scene: Scene) -> list[str]:
        """
        Return the labels of each host. Those of hosts that are gone are forgotten.
        """
        before, labels = self._labels, {}
        found = []
        for host in scene.hosts:
            key = host.key
            text = before.get(key)
            if text is None:
                service, group, name = key
                text = labelsOf(service=service, group=group, host=name)
            labels[key] = text
            found.append(text)
        self._labels = labels
        return found


def _lists(
    lists: Iterable[tuple[Iterable[Family], Labelled]], openMetrics: bool
) -> Iterator[bytes]:
    """
    Write the families of lists of things.
    """
    for group, things in lists:
        for family in group:
            yield from _samples(family, things, openMetrics)


def _samples(family: Family, things: Labelled, openMetrics: bool) -> Iterator[bytes]:
    """
    Write a family.
    """
    write: Callable[[Family, str, Any], Iterable[str]] = _plain
    if family.kind is Kind.HISTOGRAM:
        write = _histogram
    parts = [family.heading(openMetrics)] if things else []
    for number, (labels, thing) in enumerate(things, 1):
        value = family.value(thing)
        if value is not None:
            parts += write(family, labels, value)
        if not number % AT_ONCE or (write is _histogram and not number % 50):
            yield "".join(parts).encode()
            parts = []
    yield "".join(parts).encode()


def _plain(family: Family, labels: str, value: object) -> Iterable[str]:
    if not isinstance(value, Mapping):
        return (f"{family.name}{labels} {value}\n",)
    # The last label is the one of the family.
    begin, last = f"{family.name}{labels[:-1]}", family.labels[-1]
    return [f'{begin},{last}="{each}"}} {count}\n' for each, count in value.items()]


def _histogram(family: Family, labels: str, value: Histogram) -> Iterable[str]:
    name, begin = family.name, labels[:-1]
    counts = list(accumulate(value.counts))
    bounds = [*map(str, value.bounds), "+Inf"]
    return [
        *(
            f'{name}_bucket{begin},le="{bound}"}} {count}\n'
            for bound, count in zip(bounds, counts, strict=True)
        ),
        f"{name}_sum{labels} {value.sum}\n",
        f"{name}_count{labels} {counts[-1]}\n",
    ]


def _hostSamples(
    family: Family, labels: Sequence[str], scene: Scene, openMetrics: bool
) -> Iterator[bytes]:
    """
    Write a family of hosts. There may be thousands of them, so this does as little as possible
    for each.
    """
    name, value, hosts = family.name, family.value, scene.hosts
    if not hosts:
        return
    yield family.heading(openMetrics).encode()
    for begin in range(0, len(hosts), AT_ONCE):
        texts = labels[begin : begin + AT_ONCE]
        some = hosts[begin : begin + AT_ONCE]
        values = map(value, some, repeat(scene.now)) if family.timed else map(value, some)
        pairs = zip(texts, values, strict=True)
        if name == "txlb_host_state":
            lines = [f'{name}{text[:-1]},state="{each}"}} 1\n' for text, each in pairs]
        elif family.always:
            lines = [f"{name}{text} {each}\n" for text, each in pairs]
        else:
            lines = [f"{name}{text} {each}\n" for text, each in pairs if each is not None]
        yield "".join(lines).encode()


def _labelled(things: Iterable[Any], labels: Callable[[Any], str]) -> Labelled:
    return [(labels(thing), thing) for thing in things]


def _listener(listener: Any) -> str:
    return labelsOf(**{name: listener[name] for name in ("listener", "service", "address")})


def _service(service: Any) -> str:
    return labelsOf(service=service.name)


def _group(group: Any) -> str:
    return labelsOf(service=group.service, group=group.snapshot.name)


def _process(process: Any) -> str:
    # Clones of a balancer have service and group.
    places = {name: str(process.get(name, "")) for name in ("service", "group")}
    return labelsOf(**places, process=str(process["name"]))


def _processInfo(process: Any) -> str:
    more = ",".join(
        labelsOf(**{name: str(process[name])})[1:-1]
        for name in ("role", "state", "pid", "generation")
    )
    return f"{_process(process)[:-1]},{more}}}"


def _cluster(cluster: Any) -> str:
    return labelsOf(cluster=cluster.name)


def _source(found: Any) -> str:
    service, group = found[0].place
    return labelsOf(service=service, group=group, source=found[0].origin)


def _publisher(publisher: Any) -> str:
    return labelsOf(topic=publisher.destination)


def _certificate(certificate: Any) -> str:
    names = certificate["names"]
    return labelsOf(
        file=str(certificate["file"]),
        name=str(names[0]) if names else "",
        fingerprint=str(certificate["fingerprint"]),
    )
