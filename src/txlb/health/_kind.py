"""
Kinds of checks by their words, and how a check is made.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from twisted.plugin import IPlugin
from zope.interface import implementer

from txlb.health._tools import Tools
from txlb.interfaces import IHealthCheck, IHealthCheckKind
from txlb.model import HealthCheck, PollingKind
from txlb.model.registries import CHECKS


@implementer(IPlugin, IHealthCheckKind)
@dataclass(frozen=True, slots=True)
class CheckKind(PollingKind[Tools, IHealthCheck]):
    """
    A kind of check. An object of this class in a module of C{twisted.plugins} is a plugin.
    Its C{make} gets the values of all options and the tools.

    @ivar inFiles: whether a configuration file can ask for it.
    """

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
