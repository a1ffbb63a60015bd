"""
Kinds of checks by their words, and how a check is made.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from twisted.plugin import IPlugin
from zope.interface import implementer

from txlb.health._tools import Tools
from txlb.interfaces import IHealthCheck, IHealthCheckKind
from txlb.model import HealthCheck
from txlb.model.options import Option
from txlb.model.registries import CHECKS


@implementer(IPlugin, IHealthCheckKind)
@dataclass(frozen=True, slots=True)
class CheckKind:
    """
    A kind of check. An object of this class in a module of C{twisted.plugins} is a plugin.

    @ivar word: its word in the configuration file.
    @ivar doc: its effect, in a sentence or two of reStructuredText.
    @ivar make: makes a check of a host from the values of all its options and the
        tools; raises L{ModelError} if they don't go together.
    @ivar options: the options of this kind alone.
    @ivar inFiles: whether a configuration file can ask for it.
    """

    word: str
    doc: str
    make: Callable[[Mapping[str, Any], Tools], IHealthCheck]
    options: tuple[Option, ...] = ()
    inFiles: bool = True


def registerCheck(kind: IHealthCheckKind) -> None:
    """
    Make a kind of check known by its word, in programs and in configuration files.

    @raise DuplicateName: the word is taken.
    @raise ModelError: the kind can't be used, and why.
    """
    CHECKS.register(kind)


def checkKinds() -> list[IHealthCheckKind]:
    """
    Return all kinds, in the order of their registration.
    """
    return CHECKS.kinds()


def getCheckKind(word: str) -> IHealthCheckKind:
    """
    Return the kind of check that a word stands for.

    @raise UnknownName: there is no such kind.
    """
    return CHECKS.get(word)


def completed(check: HealthCheck) -> dict[str, Any]:
    """
    Return the values of all options of a check.

    @raise UnknownName: there is no such kind, or it has no such option.
    @raise ModelError: a value is wrong, or one is missing.
    """
    return check.completed(CHECKS.get(check.kind).options)


def normalized(check: HealthCheck) -> HealthCheck:
    """
    Return the same check with its options as a configuration file gives them: without
    those that have the default.

    @raise UnknownName: there is no such kind, or it has no such option.
    @raise ModelError: a value is wrong, or one is missing.
    """
    values = completed(check)
    defaults = {option.name: option.default for option in CHECKS.get(check.kind).options}
    options = {name: value for name, value in values.items() if value != defaults[name]}
    return replace(check, options=options)


def makeCheck(check: HealthCheck, tools: Tools) -> IHealthCheck:
    """
    Make the check that is configured.

    @raise UnknownName: there is no such kind, or it has no such option.
    @raise ModelError: its options are wrong.
    """
    return CHECKS.get(check.kind).make(completed(check), tools)
