"""
Going back to how a pool was, where a change of it has failed half way.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from typing import Any

from txlb.interfaces import IScheduler
from txlb.pool._host import Host
from txlb.pool._reserve import Reserve
from txlb.pool._rotation import Rotation
from txlb.pool._weighing import Weighing

_CONTAINERS = (dict, list, set, deque, OrderedDict)


class Checkpoint:
    """
    How a pool was at one moment: its own attributes, those of its parts and of
    its hosts, whatever they are called, with what is in their lists and
    tables.

    @param pool: the pool.
    @param rotation: its rotation.
    @param weighing: its weighing.
    @param reserve: what looks after its backup.
    @param hosts: its hosts.
    @param make: makes a policy of its word.
    """

    def __init__(
        self,
        pool: object,
        rotation: Rotation,
        weighing: Weighing,
        reserve: Reserve,
        hosts: Iterable[Host],
        make: Callable[[str], IScheduler],
    ) -> None:
        self._rotation = rotation
        self._make = make
        self._hosts = tuple(hosts)
        things: list[object] = [pool, rotation, weighing, reserve]
        for host in self._hosts:
            things += [host, host.mark, host.health, host.damper]
        self._memories = [Memory(thing) for thing in things]

    def restore(self, anew: bool) -> None:
        """
        Be as it was.

        @param anew: whether the policy can't be trusted any more, as it was in
            there that something was raised. Then a new one is made, which has
            not chosen before.
        """
        rotation = self._rotation
        told, heldNow = rotation.scheduler, rotation.held
        for memory in self._memories:
            memory.restore()
        held = rotation.held
        if not anew:
            # One that was replaced was told to forget all its hosts.
            known = heldNow if told is rotation.scheduler else {}
            try:
                _tellDifference(rotation.scheduler, known, held)
            except Exception:  # noqa: BLE001 - whatever it is, it can't be trusted either
                anew = True
        if anew:
            policy = self._make(rotation.scheduler.name)
            for host in held.values():
                policy.hostAdded(host)
            rotation.take(policy)


def _tellDifference(policy: IScheduler, known: dict[Any, Host], held: dict[Any, Host]) -> None:
    for key, host in known.items():
        if held.get(key) is not host:
            policy.hostRemoved(host)
    for key, host in held.items():
        if known.get(key) is host:
            policy.hostChanged(host)
        else:
            policy.hostAdded(host)


class Memory:
    """
    The attributes of one object. What is in its containers is remembered too,
    and put back into the same containers, as others may hold them.
    """

    def __init__(self, thing: object) -> None:
        self._thing = thing
        self._values = {name: getattr(thing, name) for name in _attributes(thing)}
        self._contents = [
            (value, value.copy())
            for value in self._values.values()
            if isinstance(value, _CONTAINERS)
        ]

    def restore(self) -> None:
        """
        Put everything back.
        """
        for name, value in self._values.items():
            setattr(self._thing, name, value)
        for container, contents in self._contents:
            container.clear()
            if isinstance(container, (list, deque)):
                container.extend(contents)
            else:
                container.update(contents)


def _attributes(thing: object) -> list[str]:
    slots = [
        name
        for kind in type(thing).__mro__
        for name in getattr(kind, "__slots__", ())
        if hasattr(thing, name)
    ]
    return [*slots, *getattr(thing, "__dict__", ())]
