"""
The hosts of one group that were heard lately.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from txlb.discovery._entries import MAX_HOSTS, MAX_WRONG, Entries
from txlb.discovery._foundhost import FoundHost
from txlb.model import shown

#: Seconds for which a wrong entry is told after it was heard last.
WRONG_TIME = 60.0

#: The share of its time for which a silent host stays longer, so that those that fall silent
#: together are left out by one answer, which the group can hold back.
GATHER = 0.5


@dataclass(slots=True)
class Heard:
    """
    A host that was heard.

    @ivar host: the host; L{None} for one that has taken leave or is silent for too long.
    @ivar ttl: seconds for which it is there after a message.
    @ivar until: until when it is there; if it is gone, until when older messages of it are known.
    @ivar sequence: the number of its last message; L{None} if that had none.
    """

    host: FoundHost | None
    ttl: float
    until: float
    sequence: int | None


class HeardHosts:
    """
    The hosts of one group that were heard lately, and what was wrong with messages. A message
    that came before, or is older than one that came before, changes nothing.

    @ivar newLoads: whether a host has reported its load since this was last set to false.
    """

    def __init__(self) -> None:
        self._heard: dict[str, Heard] = {}
        # By their sentences, when they are forgotten.
        self._wrong: dict[str, float] = {}
        self.newLoads = False

    @property
    def hosts(self) -> list[FoundHost]:
        """
        The hosts.
        """
        return [each.host for each in self._heard.values() if each.host is not None]

    @property
    def wrong(self) -> list[str]:
        """
        A sentence for each wrong entry that was heard lately.
        """
        return list(self._wrong)

    def take(self, entries: Entries, ttl: float, sequence: int | None, now: float) -> bool:
        """
        Take the entries of a message.

        @param ttl: seconds for which its hosts are there; 0 if they take leave.
        @param sequence: the number of the message, which grows from one to the next; L{None} for
            none.
        @param now: the time.
        @return: whether something has changed.
        """
        changed = False
        for host in entries.hosts:
            changed = self._takeOne(host, ttl, sequence, now) or changed
        for sentence in entries.wrong:
            changed = self.refuse(sentence, now) or changed
        return changed

    def _takeOne(self, host: FoundHost, ttl: float, sequence: int | None, now: float) -> bool:
        known = self._heard.get(host.name)
        if known is None:
            return self._add(host, ttl, sequence, now)
        if sequence is not None and known.sequence is not None and sequence <= known.sequence:
            return False
        if known.host is not None and known.host.address != host.address:
            return self.refuse(
                f"host {shown(host.name)} is announced at {host.address}, and also at "
                f"{known.host.address}, which is used; each has a name of its own",
                now,
            )
        before = known.host
        known.sequence = known.sequence if sequence is None else sequence
        if ttl > 0:
            self.newLoads = self.newLoads or host.load is not None
            known.host, known.ttl = host, ttl
        else:
            known.host = None
        known.until = now + known.ttl
        return known.host != before

    def _add(self, host: FoundHost, ttl: float, sequence: int | None, now: float) -> bool:
        if ttl <= 0:
            return False
        if len(self._heard) >= MAX_HOSTS:
            return self.refuse(f"there are more than {MAX_HOSTS} hosts", now)
        self.newLoads = self.newLoads or host.load is not None
        self._heard[host.name] = Heard(host, ttl, now + ttl, sequence)
        return True

    def refuse(self, sentence: str, now: float) -> bool:
        """
        Take note of what is wrong with an entry or a message.

        @return: whether it is new.
        """
        isNew = sentence not in self._wrong
        if isNew and len(self._wrong) >= MAX_WRONG:
            return False
        self._wrong[sentence] = now + WRONG_TIME
        return isNew

    def prolong(self, now: float, more: float = 0.0) -> None:
        """
        Give all hosts their time anew, as none could be heard until now.

        @param more: seconds that they need before they can be heard.
        """
        for each in self._heard.values():
            each.until = max(each.until, now + more + each.ttl)

    def expire(self, now: float) -> bool:
        """
        Leave out those that were silent for too long, and forget what was wrong long ago.

        @return: whether a host was left out.
        """
        for sentence in [each for each, until in self._wrong.items() if until <= now]:
            del self._wrong[sentence]
        changed = False
        if any(
            each.host is not None and each.until + GATHER * each.ttl <= now
            for each in self._heard.values()
        ):
            for each in self._heard.values():
                if each.host is not None and each.until <= now:
                    changed, each.host, each.until = True, None, now + each.ttl
        gone = [name for name, each in self._heard.items() if each.host is None]
        for name in gone:
            if self._heard[name].until <= now:
                del self._heard[name]
        return changed


def namesOf(entries: Sequence[object]) -> list[str]:
    """
    Return a label for each entry of a message, for sentences about it: its name or address.
    """
    return [_nameOf(each) for each in entries]


def _nameOf(entry: object) -> str:
    if isinstance(entry, dict):
        for word in ("name", "address"):
            if word in entry:
                return f"the entry of {shown(entry[word])}"
    return "an entry"
