"""
The document of hosts, which all sources share.

A document is JSON: a list of entries, or an object whose C{hosts} is such a list. An entry is an
object with C{address}, and where they differ from the defaults C{name}, C{weight}, C{priority},
C{state}, C{metadata}, C{capacity} and C{load}; see L{FoundHost}. A document for several groups has
C{service} and C{group} in its entries as well. Names that are not known are passed over, so that a
later release can add some.

An entry that is wrong does not affect the others. A document that is none affects nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from txlb.discovery._foundhost import FoundHost
from txlb.errors import ModelError, TxlbError
from txlb.model import shown

#: Bytes of a document at most.
MAX_DOCUMENT = 16 * 1024 * 1024

#: Bytes of a document that is a message at most: reading one takes some milliseconds.
MAX_MESSAGE = 16 * 1024

#: Entries of a document, and hosts of one group, at most.
MAX_ENTRIES = 100_000
MAX_HOSTS = 10_000

#: Sentences about wrong entries of one group that are kept, at most.
MAX_WRONG = 100

#: The settings of an entry beside its name and address.
_SETTINGS = ("weight", "priority", "state", "metadata", "capacity", "load")

#: The names of a group: of its service, and its own.
Place = tuple[str, str]


class DocumentError(TxlbError):
    """
    A document that is no list of hosts. Nothing of it is used.
    """


@dataclass(frozen=True, slots=True)
class Entries:
    """
    The entries of a document for one group.

    @ivar hosts: the hosts, each with a name of its own.
    @ivar wrong: a sentence for each entry that can't be used, at most L{MAX_WRONG}.
    """

    hosts: tuple[FoundHost, ...] = ()
    wrong: tuple[str, ...] = ()


def parseDocument(data: bytes) -> list[object]:
    """
    Read the entries of a document. They are not checked.

    @raise DocumentError: it is no document of hosts.
    """
    if len(data) > MAX_DOCUMENT:
        raise DocumentError(f"the document has more than {MAX_DOCUMENT} bytes")
    return entriesOf(loadDocument(data))


def loadDocument(data: bytes) -> object:
    """
    Read a document as JSON.

    @raise DocumentError: it is none.
    """
    try:
        document: object = json.loads(data)
    except ValueError as error:
        raise DocumentError(f"the document is no JSON: {error}") from None
    except RecursionError:
        raise DocumentError("the document is no list of hosts: it is nested too deeply") from None
    return document


def entriesOf(document: object) -> list[object]:
    """
    Return the entries of a document that was read. They are not checked.

    @raise DocumentError: it is no document of hosts.
    """
    if isinstance(document, dict):
        document = document.get("hosts")
    if not isinstance(document, list):
        raise DocumentError('the document is no list of hosts, and no object with "hosts"')
    if len(document) > MAX_ENTRIES:
        raise DocumentError(f"the document has more than {MAX_ENTRIES} entries")
    return document


class GroupedEntries:
    """
    The entries of a document by their groups.

    @param entries: the entries, as a document has them, or the error of one that could not be
        read.
    @param labels: a label for each entry, for sentences about it; by default its number.
    @param before: the entries of the document as it was before. The host of an entry that is the
        same is taken from them: to check 10,000 takes a quarter of a second. A load is an
        exception, as it is heard again.
    """

    def __init__(
        self,
        entries: Iterable[object],
        labels: Iterable[str] | None = None,
        before: GroupedEntries | None = None,
    ) -> None:
        self._places: dict[tuple[str | None, str | None], _Collected] = {}
        self._before = before
        named = iter(labels) if labels is not None else None
        for number, entry in enumerate(entries, 1):
            self._add(entry, f"entry {number}" if named is None else next(named))
        # They are needed no more.
        self._before = None

    def _add(self, entry: object, label: str) -> None:
        if isinstance(entry, ModelError):
            self._of(None, None).refuse(f"{label}: {entry}")
            return
        if not isinstance(entry, Mapping):
            self._of(None, None).refuse(f"{label} is {shown(entry)}; it is an object")
            return
        service, group = entry.get("service"), entry.get("group")
        for word, value in (("service", service), ("group", group)):
            if value is not None and not isinstance(value, str):
                self._of(None, None).refuse(f"{word} of {label} is {shown(value)}; it is a text")
                return
        former = None if self._before is None else self._before.same(entry)
        self._of(service, group).add(entry, label, former)

    def same(self, entry: Mapping[Any, Any]) -> FoundHost | None:
        """
        Return the host of an entry that is the same; L{None} if there is none.
        """
        collected = self._places.get((entry.get("service"), entry.get("group")))
        return None if collected is None else collected.same(entry)

    def _of(self, service: str | None, group: str | None) -> _Collected:
        return self._places.setdefault((service, group), _Collected())

    def of(self, place: Place) -> Entries:
        """
        Return the entries for a group: those that name it and its service, and those that leave
        out one of the two or both.
        """
        service, group = place
        keys = ((None, None), (service, None), (None, group), (service, group))
        found = [self._places[key] for key in keys if key in self._places]
        if len(found) == 1:
            return found[0].entries
        together = _Collected()
        for each in found:
            together.join(each)
        return together.entries


class _Collected:
    """
    The entries of one group, while they are collected.
    """

    def __init__(self) -> None:
        self._hosts: dict[str, FoundHost] = {}
        # The entries of the hosts.
        self._entries: dict[str, Mapping[object, object]] = {}
        self._wrong: list[str] = []

    def add(self, entry: Mapping[object, object], label: str, host: FoundHost | None) -> None:
        if host is None:
            try:
                host = foundHost(entry)
            except ModelError as error:
                self.refuse(f"{label}: {error}")
                return
        if self._keep(host, label):
            self._entries[host.name] = entry

    def same(self, entry: Mapping[object, object]) -> FoundHost | None:
        name = entry.get("name") or entry.get("address")
        if "load" in entry or not isinstance(name, str) or self._entries.get(name) != entry:
            return None
        return self._hosts[name]

    def _keep(self, host: FoundHost, label: str) -> bool:
        """
        Keep a host, if it may be kept.
        """
        if host.name in self._hosts:
            self.refuse(f"{label} is a second host {shown(host.name)}; each has a name of its own")
        elif len(self._hosts) >= MAX_HOSTS:
            self.refuse(f"{label} is one of more than {MAX_HOSTS} hosts")
        else:
            self._hosts[host.name] = host
            return True
        return False

    def refuse(self, sentence: str) -> None:
        if len(self._wrong) < MAX_WRONG:
            self._wrong.append(sentence)

    def join(self, other: _Collected) -> None:
        for host in other._hosts.values():
            self._keep(host, f"host {shown(host.name)}")
        for sentence in other._wrong:
            self.refuse(sentence)

    @property
    def entries(self) -> Entries:
        return Entries(tuple(self._hosts.values()), tuple(self._wrong))


def foundHost(entry: Mapping[object, object], name: str | None = None) -> FoundHost:
    """
    Make a host of one entry.

    @param name: its name if the entry has none, such as the key of a registry; by default its
        address.
    @raise ModelError: something of it breaks a rule.
    """
    address = entry.get("address")
    if not isinstance(address, str):
        raise ModelError(f"address is {shown(address)}; it is a text such as '127.0.0.1:8080'")
    given = entry.get("name")
    if given is None:
        given = address.replace("/", "-") if name is None else name
    # FoundHost checks what it is given.
    own: dict[str, Any] = {word: entry[word] for word in _SETTINGS if word in entry}
    return FoundHost(cast(str, given), address, **own)
