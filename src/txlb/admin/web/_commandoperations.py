"""
Operations made of the list of commands.

Each command is the POST of its words below the resource that its first arguments name; one that
only looks is a GET. Commands that have a place in the tree, see L{txlb.admin._rest.Rest}, are
PATCH, PUT or DELETE of a resource as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from twisted.internet.defer import Deferred

from txlb.admin._access import LEVELS, READONLY
from txlb.admin._arguments import GROUP, HOST, LISTENER, SERVICE, Argument, Kind, readArguments
from txlb.admin._command import AdminCommand
from txlb.admin._commands import COMMANDS
from txlb.admin._log import log, printable
from txlb.admin.web._arguments import fromJSON, schemaOf
from txlb.admin.web._call import Call
from txlb.admin.web._operation import Operation, Schema
from txlb.admin.web._reply import rowsReply
from txlb.errors import ModelError, listed

#: The path of this version.
API = "/api/v1"

#: The segments before names, by the kinds of names.
_SEGMENTS: tuple[tuple[Kind, str], ...] = (
    (SERVICE, "services"),
    (GROUP, "groups"),
    (HOST, "hosts"),
    (LISTENER, "listeners"),
)

#: The commands that are operations of another shape.
_OWN = frozenset({"events"})


def segmentOf(argument: Argument) -> str:
    """
    Return the segment of a path before the values of an argument; empty if they have no place
    in a path.
    """
    if not argument.required:
        return ""
    return next((segment for kind, segment in _SEGMENTS if kind is argument.kind), "")


def placesOf(command: AdminCommand) -> tuple[Argument, ...]:
    """
    Return the first arguments of a command, which name its resource.
    """
    places = []
    for argument in command.arguments:
        if not segmentOf(argument):
            break
        places.append(argument)
    return tuple(places)


def pathOf(places: Iterable[Argument]) -> str:
    """
    Return the path of a resource, with the names of arguments in braces.
    """
    return API + "".join(f"/{segmentOf(each)}/{{{each.name}}}" for each in places)


def give(call: Call, command: AdminCommand, given: Mapping[str, object]) -> Any:
    """
    Give a command.

    @param given: the values of its arguments; those in the path and in the query are texts.
    @return: the L{Reply}, or a Deferred of it.
    """
    values = readArguments(command.arguments, given, command.name, fromJSON)
    caller = call.authorized
    if command.access != READONLY:
        shown = {name: str(value) for name, value in given.items()}
        log.info(
            "{by}: {command} {values}",
            by=caller.name,
            command=command.name,
            values=printable(command.shown(shown)),
        )
    rows = command(call.console.target, caller, values)
    return rows.addCallback(rowsReply) if isinstance(rows, Deferred) else rowsReply(rows)


def _taggedBy(places: tuple[Argument, ...]) -> str:
    return segmentOf(places[-1])[:-1] if places else ""


class Looking:
    """
    Runs a command that only looks: its arguments are in the path and in the query.
    """

    def __init__(self, command: AdminCommand) -> None:
        self._command = command

    def __call__(self, call: Call) -> Any:
        values = readArguments(
            self._command.arguments, {**call.query, **call.path}, self._command.name
        )
        return give(call, self._command, values)


class Posting:
    """
    Runs a command whose arguments are the members of the body.
    """

    def __init__(self, command: AdminCommand) -> None:
        self._command = command

    def __call__(self, call: Call) -> Any:
        return give(call, self._command, {**_membersOf(call, self._command), **call.path})


def _membersOf(call: Call, command: AdminCommand) -> Mapping[str, object]:
    body = call.body
    members: Mapping[str, object] = body if isinstance(body, dict) else {}
    for name in call.path:
        if name in members:
            raise ModelError(f"{name} of {command.name} is in the path, and not in the body")
    return members


class Deleting:
    """
    Runs the command that removes a resource: further arguments are in the query.
    """

    def __init__(self, command: AdminCommand) -> None:
        self._command = command

    def __call__(self, call: Call) -> Any:
        texts = {**call.query, **call.path}
        return give(
            call, self._command, readArguments(self._command.arguments, texts, self._command.name)
        )


class Changing:
    """
    Runs the command that the members of the body mean. Members that are no arguments of it are
    its settings.

    @param commands: those of the method and the resource.
    """

    def __init__(self, commands: tuple[AdminCommand, ...]) -> None:
        self._commands = commands

    def __call__(self, call: Call) -> Any:
        members = dict(call.body) if isinstance(call.body, dict) else {}
        command = self._meant(members)
        if command.rest is not None and command.rest.member:
            del members[command.rest.member]
        names = {each.name for each in command.arguments}
        settings = next((each for each in command.arguments if each.kind.settingsOf), None)
        given: dict[str, object] = {
            name: value for name, value in members.items() if name in names - {"settings"}
        }
        others = {name: value for name, value in members.items() if name not in given}
        if settings is not None:
            given[settings.name] = others
        elif others:
            raise ModelError(
                f"{listed(sorted(others))} and {command.name} are changed by requests of their own"
            )
        for name in call.path:
            if name in members:
                raise ModelError(f"{name} is in the path, and not in the body")
        return give(call, command, {**given, **call.path})

    def _meant(self, members: Mapping[str, object]) -> AdminCommand:
        # A body without a member, or with one that has no such value, means the last one if
        # that takes settings. Those with a word of their own come first.
        found: AdminCommand | None = None
        for command in self._commands:
            rest = command.rest
            if rest is not None and rest.member:
                if members.get(rest.member) == rest.value and rest.member in members:
                    return command
                if rest.member in members:
                    continue
            elif _needed(command) and _needed(command) <= members.keys():
                return command
            elif not _needed(command):
                found = command
        words = {rest.member for each in self._commands if (rest := each.rest) and rest.member}
        wrong = words & members.keys()
        if wrong:
            name = min(wrong)
            values = [
                str(each.rest.value)
                for each in self._commands
                if each.rest is not None and each.rest.member == name
            ]
            raise ModelError(f"{name} is {members[name]!r:.80}; it can be: {listed(values)}")
        if found is None:
            needed = sorted({name for each in self._commands for name in _needed(each)} | words)
            raise ModelError(f"the body needs one of: {listed(needed)}")
        if not members:
            raise ModelError("the body has no member, so there is nothing to change")
        return found


def _needed(command: AdminCommand) -> set[str]:
    """
    Return the names of the arguments that a body must have.
    """
    inPath = {each.name for each in placesOf(command)}
    return {
        each.name
        for each in command.arguments
        if each.required and each.name not in inPath and not each.kind.settingsOf
    }


# The table


def commandOperations() -> Iterator[Operation]:
    """
    Yield the operations of all commands.
    """
    shared: dict[tuple[str, str], list[AdminCommand]] = {}
    for command in COMMANDS:
        if command.name in _OWN:
            continue
        yield _ownOperation(command)
        if command.rest is not None:
            part = f"/{command.rest.part}" if command.rest.part else ""
            path = pathOf(placesOf(command)) + part
            shared.setdefault((command.rest.method, path), []).append(command)
    for (method, path), commands in shared.items():
        yield _sharedOperation(method, path, tuple(commands))


def _word(command: AdminCommand) -> str:
    if command.words:
        return command.words.replace(" ", "-")
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", command.name).lower()


def _ownOperation(command: AdminCommand) -> Operation:
    places = placesOf(command)
    others = command.arguments[len(places) :]
    looks = command.access == READONLY
    return Operation(
        command.name,
        "GET" if looks else "POST",
        f"{pathOf(places)}/{_word(command)}",
        command.access,
        command.summary[0].upper() + command.summary[1:],
        Looking(command) if looks else Posting(command),
        command.doc,
        places,
        others if looks else (),
        None if looks else _schema([others]),
        needsBody=not looks and any(each.required for each in others),
        tagged="" if looks else _taggedBy(places),
    )


def _sharedOperation(method: str, path: str, commands: tuple[AdminCommand, ...]) -> Operation:
    places = placesOf(commands[0])
    thing = _taggedBy(places).title()
    part = "".join(each.title() for each in path.rpartition("}")[2].replace("/", "-").split("-"))
    if not places:
        part = "".join(each.title() for each in path.removeprefix(f"{API}/").split("-"))
    deletes = method == "DELETE"
    others = commands[0].arguments[len(places) :]
    return Operation(
        f"{method.lower()}{thing}{part}",
        method,
        path,
        min((each.access for each in commands), key=LEVELS.index),
        "; ".join(_sentence(each) for each in commands),
        Deleting(commands[0]) if deletes else Changing(commands),
        "The body means one of the commands "
        + ", ".join(each.name for each in commands)
        + ". Members that are no arguments of it are settings."
        if not deletes
        else commands[0].doc,
        places,
        others if deletes else (),
        None
        if deletes
        else _schema([each.arguments[len(places) :] for each in commands], commands),
        needsBody=not deletes,
        tagged=_taggedBy(places),
    )


def _sentence(command: AdminCommand) -> str:
    return f"{command.name}: {command.summary}"


def _schema(lists: Iterable[Iterable[Argument]], commands: Iterable[AdminCommand] = ()) -> Schema:
    """
    Return the schema of a body.

    @param lists: the arguments of each command that it may mean.
    @param commands: those commands, if settings are members of the body.
    """
    members: dict[str, object] = {}
    required: list[str] = []
    flat = False
    arguments = [list(each) for each in lists]
    for each in arguments:
        for argument in each:
            if argument.kind.settingsOf and commands:
                flat = True
                continue
            members[argument.name] = schemaOf(argument)
    for command in commands:
        rest = command.rest
        if rest is not None and rest.member:
            known: Any = members.setdefault(rest.member, {"enum": []})
            known["enum"] = [*known["enum"], rest.value]
    if len(arguments) == 1:
        required = [each.name for each in arguments[0] if each.required and each.name in members]
    schema: dict[str, object] = {"type": "object", "properties": members}
    if required:
        schema["required"] = required
    schema["additionalProperties"] = flat
    return schema
