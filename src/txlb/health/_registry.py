"""
From the word in a configuration file to the check.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from twisted.plugin import IPlugin
from zope.interface import implementer

from txlb.deadlines import Deadlines
from txlb.errors import DuplicateName, UnknownName
from txlb.health._connectonly import ConnectOnly
from txlb.health._sockets import Sockets
from txlb.interfaces import IHealthCheck, IHealthCheckKind
from txlb.model import Address, HealthCheck
from txlb.model.options import Option, completedOptions


@dataclass(frozen=True, slots=True)
class Target:
    """
    The host that a check is to look at.

    @ivar key: the names of service, group and host.
    @ivar address: where, with the check's own port where it has one; needs no
        look-up.
    @ivar name: the host as it is configured: an IP address without its zone, a
        name, or C{localhost} for a UNIX socket.
    @ivar timeout: seconds that the check has; it is cancelled after them.
    @ivar header: bytes to send before any others: a PROXY header, or nothing.
    @ivar others: other addresses of the host, in the order in which they are tried if
        C{address} fails or does not answer soon.
    """

    key: tuple[str, str, str]
    address: Address
    name: str
    timeout: float
    header: bytes = b""
    others: tuple[Address, ...] = ()


@dataclass(frozen=True, slots=True)
class Tools:
    """
    What checks are made with.

    @ivar reactor: the reactor.
    @ivar deadlines: the monotonic clock's.
    @ivar sockets: runs conversations.
    """

    reactor: Any
    deadlines: Deadlines
    sockets: Sockets | ConnectOnly


@implementer(IPlugin, IHealthCheckKind)
@dataclass(frozen=True, slots=True)
class CheckKind:
    """
    A kind of check.

    @ivar word: its word in the configuration file.
    @ivar doc: what it does, in a sentence or two of reStructuredText.
    @ivar make: makes one for a host, from the values of all its options and the
        tools; raises L{ModelError} where they don't go together.
    @ivar options: what it has of its own.
    @ivar inFiles: whether a configuration file can ask for it.
    """

    word: str
    doc: str
    make: Callable[[Mapping[str, Any], Tools], IHealthCheck]
    options: tuple[Option, ...] = ()
    inFiles: bool = True


_kinds: dict[str, CheckKind] = {}
_told: list[Callable[[CheckKind], object]] = []


def registerCheck(kind: CheckKind) -> None:
    """
    Make a kind of check known by its word.

    @raise DuplicateName: the word is taken.
    """
    if kind.word in _kinds:
        raise DuplicateName(f"there is a check {kind.word!r} already; choose another word")
    _kinds[kind.word] = kind
    for tell in _told:
        tell(kind)


def whenKnown(tell: Callable[[CheckKind], object]) -> None:
    """
    Be told of every kind: of those that are known now, and later of each that
    becomes known.
    """
    for kind in _kinds.values():
        tell(kind)
    _told.append(tell)


def checkKinds() -> list[CheckKind]:
    """
    All kinds, in the order in which they became known.
    """
    return list(_kinds.values())


def getCheckKind(word: str) -> CheckKind:
    """
    @raise UnknownName: there is no such kind.
    """
    try:
        return _kinds[word]
    except KeyError:
        raise UnknownName("check", word, _kinds) from None


def completed(check: HealthCheck) -> dict[str, Any]:
    """
    The values of all options of a check.

    @raise UnknownName: there is no such kind, or it has no such option.
    @raise ModelError: a value is wrong, or one is missing.
    """
    kind = getCheckKind(check.kind)
    return completedOptions(kind.options, check.options, f"the {kind.word} check")


def normalized(check: HealthCheck) -> HealthCheck:
    """
    The same check, with its options as a configuration file gives them: without
    those that say the default.

    @raise UnknownName: there is no such kind, or it has no such option.
    @raise ModelError: a value is wrong, or one is missing.
    """
    values = completed(check)
    defaults = {option.name: option.default for option in getCheckKind(check.kind).options}
    options = {name: value for name, value in values.items() if value != defaults[name]}
    return replace(check, options=options)


def makeCheck(check: HealthCheck, tools: Tools) -> IHealthCheck:
    """
    Make what a configured check stands for.

    @raise UnknownName: there is no such kind, or it has no such option.
    @raise ModelError: its options are wrong.
    """
    return getCheckKind(check.kind).make(completed(check), tools)
