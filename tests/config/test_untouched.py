"""
What L{txlb.config._render} must not touch, seen by another parser.

The other one is expat, which says at which byte things stand. It reads the file before and
after random changes. Whatever says the same before and after has to be written the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any
from xml.parsers import expat

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests import fewer
from tests.config.documents import documents, hostAddresses, serviceLists
from txlb.config import parseConfiguration
from txlb.config._nodes import Node
from txlb.model import (
    Discovery,
    HealthCheck,
    Listener,
    ProxyGroup,
    ProxyHost,
    ProxyService,
)

#: What an element is known by, from the outermost one on.
Key = tuple[str, ...]

_TAG = re.compile(r"""<[^"'>]*(?:"[^"]*"[^"'>]*|'[^']*'[^"'>]*)*>""")
_ATTRIBUTE = re.compile(r"""(\s+)([\w]+)(\s*=\s*)("[^"]*"|'[^']*')""")
_NEWLINE = re.compile(r"\r\n|\n|\r")

#: The attributes that tell elements of one tag from each other.
_NAMES = {
    "service": "name",
    "group": "name",
    "host": "name",
    "listen": "ip",
    "allow": "network",
    "deny": "network",
}


class Seen:
    """
    A file as expat sees it.

    @ivar text: all of it.
    @ivar tags: the opening tag of each element, and where it begins, in their order.
    @ivar comments: where each comment begins.
    @ivar bare: the text, with C{<>} for each tag.
    """

    def __init__(self, data: bytes) -> None:
        encoding = "utf-16" if data[:2] in {b"\xff\xfe", b"\xfe\xff"} else "utf-8-sig"
        if b"iso-8859-1" in data[:60]:
            encoding = "iso-8859-1"
        self.text = data.decode(encoding)
        self._bytes = self.text.encode()
        self.tags: dict[Key, tuple[int, str]] = {}
        self.comments: dict[str, int] = {}
        self._open: list[Key] = []
        self._count: dict[Key, int] = {}
        self._cuts: list[tuple[int, int]] = []
        self._parser = expat.ParserCreate("utf-8")
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CommentHandler = self._comment
        self._parser.Parse(self._bytes, True)
        bare = []
        place = 0
        for begin, end in self._cuts:
            if begin >= place:
                bare += [self.text[place:begin], "<>"]
                place = end
        self.bare = "".join([*bare, self.text[place:]])

    def _place(self) -> int:
        return len(self._bytes[: self._parser.CurrentByteIndex].decode())

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        place = self._place()
        found = _TAG.match(self.text, place)
        assert found is not None
        outer = self._open[-1] if self._open else ()
        kind = (*outer, tag)
        self._count[kind] = self._count.get(kind, 0) + 1
        name = attributes[_NAMES[tag]] if tag in _NAMES else self._count[kind]
        key = (*outer, f"{tag} {name}")
        self.tags[key] = place, found[0]
        self._cuts.append((place, found.end()))
        self._open.append(key)

    def _end(self, tag: str) -> None:
        self._open.pop()
        place = self._place()
        if self.text.startswith("</", place):
            self._cuts.append((place, self.text.index(">", place) + 1))

    def _comment(self, text: str) -> None:
        self.comments[text] = self._place()

    @property
    def outside(self) -> tuple[str, str]:
        """
        The text before the outermost element, and behind it.
        """
        (begin, _), *_ = self.tags.values()
        return self.text[:begin], self.text[self.text.rindex("</config>") :]

    def lineAt(self, place: int) -> tuple[int, int]:
        """
        Where the line begins and ends on which something stands.
        """
        begin = max((found.end() for found in _NEWLINE.finditer(self.text, 0, place)), default=0)
        end = _NEWLINE.search(self.text, place)
        return begin, end.start() if end else len(self.text)


def nodes(data: bytes) -> Iterator[tuple[Key, Node]]:
    """
    What each element of a file says, by what it is known by.
    """
    return _inside((), [parseConfiguration(data, "c.xml").root])


def _inside(outer: Key, found: Sequence[Node]) -> Iterator[tuple[Key, Node]]:
    count: dict[str, int] = {}
    for node in found:
        tag = node.spec.tag
        count[tag] = count.get(tag, 0) + 1
        name = node.element.get(_NAMES[tag]) if tag in _NAMES else count[tag]
        key = (*outer, f"{tag} {name}")
        yield key, node
        yield from _inside(key, node.children)


# Small changes, as people make them


def _onHost(change: Callable[[ProxyHost], ProxyHost]) -> Callable[[ProxyGroup], ProxyGroup]:
    return lambda group: replace(group, hosts=(*map(change, group.hosts[:1]), *group.hosts[1:]))


def _added(group: ProxyGroup) -> ProxyGroup:
    taken = {host.name for host in group.hosts}
    new = [ProxyHost.at(n, "10.9.9.9:9", 7) for n in ("new", "newer") if n not in taken]
    return replace(group, hosts=(*group.hosts, *new[:1]))


_CHANGES: dict[str, Callable[[ProxyGroup], ProxyGroup]] = {
    "weight": _onHost(lambda host: replace(host, weight=(host.weight + 1) % 9)),
    "state": _onHost(lambda host: replace(host, state="drain")),
    "limit": _onHost(lambda host: replace(host, maxConnections=None)),
    "other limit": _onHost(lambda host: replace(host, maxConnections=77)),
    "check": _onHost(lambda host: replace(host, check=HealthCheck("tls", 3.0))),
    "no check": _onHost(lambda host: replace(host, check=None)),
    "group check": lambda group: replace(group, check=HealthCheck("http", 3.0)),
    "no resource": lambda group: replace(group, resource=None),
    "source": lambda group: replace(group, discover=Discovery("file", options={"path": "x"})),
    "no source": lambda group: replace(group, discover=None),
    "scheduler": lambda group: replace(group, scheduler="first"),
    "slow start": lambda group: replace(group, slowStart=12.5),
    "added": _added,
    "removed": lambda group: replace(group, hosts=group.hosts[1:]),
    "last removed": lambda group: replace(group, hosts=group.hosts[:-1]),
    "turned": lambda group: replace(group, hosts=group.hosts[::-1]),
    "none": lambda group: replace(group, hosts=()),
    "nothing": lambda group: group,
}


def _changed(services: Sequence[ProxyService], words: Sequence[str]) -> tuple[ProxyService, ...]:
    found = list(services)
    for number, word in enumerate(words):
        service = found[number % len(found)]
        if word == "listen":
            new = Listener("10.0.0.1:77")
            listeners = (new, *(each for each in service.listeners if each != new))
            if all(new not in each.listeners for each in found):
                service = replace(service, listeners=listeners)
        elif word == "retries":
            service = replace(service, retries=99)
        elif word == "switch":
            names = [group.name for group in service.groups]
            groups = (replace(group, enabled=group.name == names[-1]) for group in service.groups)
            service = replace(service, groups=tuple(groups))
        else:
            group = _CHANGES[word](service.groups[0])
            service = replace(service, groups=(group, *service.groups[1:]))
        found[number % len(found)] = service
    return tuple(found)


class UntouchedTests(SynchronousTestCase):
    """
    A change is written where it is made, and nowhere else.
    """

    def check(self, data: bytes, wanted: Sequence[ProxyService]) -> None:
        """
        Write services to a file, and look for what has changed without a need.
        """
        configuration = parseConfiguration(data, "c.xml")
        written = configuration.render(wanted)
        self.assertEqual(parseConfiguration(written, "c.xml").services, tuple(wanted))
        if tuple(wanted) == configuration.services:
            self.assertEqual(written, data)
        old, new = Seen(data), Seen(written)
        self.assertEqual(old.outside, new.outside)
        before, after = dict(nodes(data)), dict(nodes(written))
        for key in before.keys() & after.keys():
            self.sameTag(old.tags[key][1], new.tags[key][1], before[key], after[key])
        # A listener that moves is the same element with another address.
        gone = {key for key in before if key not in after and not key[-1].startswith("listen")}
        self.sameComments(old, new, gone)
        self.assertLessEqual(
            set(_NEWLINE.findall(new.bare)), set(_NEWLINE.findall(old.bare)), "line ends"
        )
        if list(old.tags) == list(new.tags):
            # Nothing has come, gone or moved.
            self.assertEqual(old.bare, new.bare)

    def sameTag(self, old: str, new: str, before: Node, after: Node) -> None:
        """
        Attributes with the same value are written alike, in the same order; new ones come
        last; and so is everything between them.
        """
        olds, news = _ATTRIBUTE.findall(old), _ATTRIBUTE.findall(new)
        names = {each[1] for each in news}
        kept = [each for each in olds if each[1] in names]
        self.assertEqual([each[1] for each in kept], [each[1] for each in news[: len(kept)]])
        for one, other in zip(kept, news, strict=False):
            name = one[1]
            self.assertEqual(one[:3], other[:3])
            self.assertEqual(one[3][0], other[3][0], "quotes")
            if before.values[name] == after.values[name]:
                self.assertEqual(one, other)
            else:
                self.assertNotEqual(one[3], other[3])
        if olds == news:
            self.assertEqual(old.rstrip("/> "), new.rstrip("/> "))

    def sameComments(self, old: Seen, new: Seen, gone: set[Key]) -> None:
        """
        The comments that are missing stood inside of something that is gone, or beside it;
        and all those that stood beside what is gone, and nothing else, are missing.
        """
        self.assertLessEqual(new.comments.keys(), old.comments.keys())
        for text in old.comments.keys() - new.comments.keys():
            begin, end = old.lineAt(old.comments[text])
            reasons = [
                key
                for key in gone
                if begin <= old.tags[key][0] < end or self._isInside(old, old.comments[text], key)
            ]
            self.assertTrue(reasons, text)
        for text in old.comments.keys() & new.comments.keys():
            begin, end = old.lineAt(old.comments[text])
            beside = [key for key, (where, _) in old.tags.items() if begin <= where < end]
            self.assertFalse(beside and gone.issuperset(beside), text)

    def _isInside(self, seen: Seen, place: int, key: Key) -> bool:
        begin = seen.tags[key][0]
        behind = [
            where
            for other, (where, _) in seen.tags.items()
            if where > begin and other[: len(key)] != key
        ]
        return begin < place < min(behind, default=len(seen.text))

    @fewer(0.4)
    @given(
        documents(),
        st.lists(st.sampled_from([*_CHANGES, "listen", "retries", "switch"]), max_size=4),
    )
    def test_smallChanges(
        self, each: tuple[bytes, list[ProxyService]], words: Sequence[str]
    ) -> None:
        data, services = each
        self.check(data, _changed(services, words))

    @fewer(0.4)
    @given(documents(), serviceLists())
    def test_anything(
        self, each: tuple[bytes, list[ProxyService]], wanted: Sequence[ProxyService]
    ) -> None:
        self.check(each[0], wanted)

    @fewer(0.4)
    @given(documents(), st.data())
    def test_moved(self, each: tuple[bytes, list[ProxyService]], data: Any) -> None:
        """
        Hosts that are put in another order take along what is beside them: each comment is
        there once.
        """
        file, services = each
        groups = services[0].groups
        hosts = data.draw(st.permutations(groups[0].hosts))
        addresses = data.draw(st.lists(hostAddresses, max_size=len(hosts)))
        moved = [
            ProxyHost.at(host.name, address, host.weight)
            for host, address in zip(hosts, addresses, strict=False)
        ]
        wanted = replace(groups[0], hosts=(*moved, *hosts[len(moved) :]))
        service = replace(services[0], groups=(wanted, *groups[1:]))
        self.check(file, [service, *services[1:]])
        written = parseConfiguration(file, "c.xml").render([service, *services[1:]])
        self.assertEqual(Seen(written).comments.keys(), Seen(file).comments.keys())


class SeenTests(SynchronousTestCase):
    """
    The other view sees what is there.
    """

    def test_seen(self) -> None:
        seen = Seen(
            b'<!--1-->\n<config><service name="ae"\n/>\n<b c="&gt;"> <!--2--></b></config>\n'
        )
        self.assertEqual(
            list(seen.tags), [("config 1",), ("config 1", "service ae"), ("config 1", "b 1")]
        )
        self.assertEqual(seen.bare, "<!--1-->\n<><>\n<> <!--2--><><>\n")
        self.assertEqual(seen.outside, ("<!--1-->\n", "</config>\n"))
        self.assertEqual(seen.lineAt(seen.comments["2"]), (39, 73))
