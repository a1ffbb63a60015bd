"""
The AMP commands as classes, for C{callRemote}.

C{GetClientAddress}, its error and their fields are those of the patches that Apple's
calendar server had for PythonDirector, which 1.1.0 took over.
"""

from __future__ import annotations

from typing import Any

from twisted.protocols import amp

from txlb.admin._command import AdminCommand
from txlb.admin._commands import COMMANDS
from txlb.errors import (
    AccessDenied,
    ModelError,
    TxlbError,
    UnknownConnection,
    UnknownName,
)


class UnknownPortError(Exception):
    """
    A question for a connection that is not known, or for more than one.
    """


class BusyError(TxlbError):
    """
    Too many requests at once.
    """


#: The codes of errors on the wire, the most special first.
ERROR_CODES: tuple[tuple[type[TxlbError], str], ...] = (
    (UnknownConnection, "UNKNOWN_PORT"),
    (UnknownName, "UNKNOWN_NAME"),
    (AccessDenied, "ACCESS_DENIED"),
    (BusyError, "BUSY"),
    (ModelError, "WRONG_VALUE"),
    (TxlbError, "REFUSED"),
)


class RefusedError(Exception):
    """
    A command that the balancer did not do; the message says why.
    """


class UnknownNameError(RefusedError):
    """
    A name that no service, group, host, listener or policy has.
    """


class WrongValueError(RefusedError):
    """
    A value that breaks a rule.
    """


class AccessDeniedError(RefusedError):
    """
    A command that needs more access than the client has.
    """


class TooBusyError(RefusedError):
    """
    Too many requests at once.
    """


_ERRORS: dict[type[Exception], bytes] = {
    UnknownNameError: b"UNKNOWN_NAME",
    WrongValueError: b"WRONG_VALUE",
    AccessDeniedError: b"ACCESS_DENIED",
    TooBusyError: b"BUSY",
    RefusedError: b"REFUSED",
}

_TYPES: dict[type, type[amp.Argument]] = {
    str: amp.Unicode,
    int: amp.Integer,
    float: amp.Float,
    bool: amp.Boolean,
    # A JSON object.
    dict: amp.Unicode,
}


class GetClientAddress(amp.Command):
    """
    The client behind a connection. The host that has accepted the connection asks:
    C{host} and C{port} are the other end as the host sees it. C{serverHost} and
    C{serverPort}, which 1.1.0 did not have, are the host's own end: the balancer may
    use one port for connections to several hosts.
    """

    commandName = b"GetClientAddress"
    arguments = [  # noqa: RUF012 - as AMP has it
        (b"host", amp.String()),
        (b"port", amp.Integer()),
        (b"serverHost", amp.String(optional=True)),
        (b"serverPort", amp.Integer(optional=True)),
    ]
    response = [(b"host", amp.String()), (b"port", amp.Integer())]  # noqa: RUF012 - likewise
    errors = {UnknownPortError: b"UNKNOWN_PORT"}  # noqa: RUF012 - likewise


_ANSWER: list[tuple[bytes, amp.Argument]] = [
    (b"rows", amp.Unicode()),
    (b"more", amp.Boolean()),
]


class More(amp.Command):
    """
    The next page of the last answer.
    """

    commandName = b"More"
    arguments = []  # noqa: RUF012 - as AMP has it
    response = _ANSWER
    errors = _ERRORS


def wireCommand(command: AdminCommand) -> type[amp.Command]:
    """
    Make the AMP command of a command of the list. It answers with C{rows}, a JSON array
    of objects, and C{more}: whether there are others, which L{More} gets.
    """
    arguments = [
        (each.name.encode("ascii"), _TYPES[each.kind.type](optional=not each.required))
        for each in command.arguments
    ]
    body: dict[str, Any] = {
        "__doc__": command.doc,
        "commandName": command.wireName.encode("ascii"),
        "arguments": arguments,
        "response": _ANSWER,
        "errors": _ERRORS,
    }
    return type(command.wireName, (amp.Command,), body)


#: An AMP command for each of the list, by its name on the wire.
WIRE_COMMANDS = {command.wireName: wireCommand(command) for command in COMMANDS}
