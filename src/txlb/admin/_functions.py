"""
The list of commands as functions, for the manhole.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from txlb.admin._access import Caller
from txlb.admin._arguments import Argument
from txlb.admin._choices import choicesOf
from txlb.admin._command import AdminCommand
from txlb.admin._commands import COMMANDS
from txlb.admin._completion import CHOICES, Choices
from txlb.admin._rows import Row
from txlb.admin._target import Target
from txlb.errors import ModelError


class Told(tuple[Row, ...]):
    """
    The answer of a command: rows, which the prompt shows as lines for people.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        lines = [str(row.get("text", dict(row))) for row in self if row.get("row") != "last"]
        # Events end in a row that says where they end.
        nothing = "no events" if self else "nothing to change: it is so already"
        return "\n".join(lines) or nothing


def functions(target: Target, caller: Caller) -> dict[str, Callable[..., Any]]:
    """
    Make a function of each command of the list that the prompt may have, but of C{status}, of
    which it has one that draws a table.

    @param caller: calls the functions.
    """
    choices = choicesOf(target.balancer)
    return {
        command.name: _function(command, target, caller, choices)
        for command in COMMANDS
        if command.name != "status" and command.forPrompt
    }


def _function(
    command: AdminCommand, target: Target, caller: Caller, choices: Choices
) -> Callable[..., Any]:
    signature = inspect.Signature([_parameter(each) for each in command.arguments])

    def function(*values: Any, **named: Any) -> Told | Deferred[Told]:
        try:
            bound = signature.bind(*values, **named)
        except TypeError as error:
            wanted = ", ".join(map(str, signature.parameters))
            raise ModelError(f"{command.name}({wanted}): {error}") from None
        bound.apply_defaults()
        taken = {each.name: each.verified(bound.arguments[each.name]) for each in command.arguments}
        answer = command(target, caller, taken)
        return _now(answer.addCallback(_told)) if isinstance(answer, Deferred) else _told(answer)

    arguments = "".join(f"\n  {each.name}: {each.doc}" for each in command.arguments)
    function.__name__ = function.__qualname__ = command.name
    function.__doc__ = f"{command.doc}\n{arguments}"
    setattr(function, CHOICES, choices)
    function.__signature__ = signature  # type: ignore[attr-defined]  # help() and inspect look there
    return function


def _parameter(argument: Argument) -> inspect.Parameter:
    default = inspect.Parameter.empty if argument.required else argument.default
    if argument.kind.settingsOf:
        return inspect.Parameter(argument.name, inspect.Parameter.VAR_KEYWORD)
    return inspect.Parameter(
        argument.name,
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
        default=default,
        annotation=argument.kind.type,
    )


def _now(answer: Deferred[Told]) -> Told | Deferred[Told]:
    """
    Return an answer that is there already, so that the prompt shows it at once; or raise
    what it failed with.
    """
    if not answer.called or answer.paused:
        return answer
    found: list[Told] = []
    failures: list[Failure] = []
    answer.addCallbacks(found.append, failures.append)
    for each in failures:
        each.raiseException()
    return found[0] if found else answer


def _told(rows: Iterable[Row]) -> Told:
    return Told(rows)
