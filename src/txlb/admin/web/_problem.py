"""
Errors as answers: problem details of RFC 9457, with the sentence that the command line prints.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from txlb.admin.web._media import PROBLEM
from txlb.admin.web._reply import Reply, encoded
from txlb.errors import (
    AccessDenied,
    CertificateError,
    ChangeStopped,
    ChangeUnderWay,
    ConfigurationConflict,
    ConfigurationError,
    DuplicateName,
    ListenError,
    ModelError,
    TxlbError,
    UnknownName,
)

#: The headers of an answer to a client that has to log in.
LOG_IN = {"WWW-Authenticate": 'Bearer realm="txlb"'}

#: Titles by statuses.
TITLES = {
    400: "The request is malformed",
    401: "Log in first",
    403: "Not allowed",
    404: "There is no such thing",
    405: "The resource has no such method",
    406: "No such media type",
    409: "In conflict with the present state",
    412: "It has changed meanwhile",
    413: "The request is too large",
    415: "The media type is not supported",
    421: "The server has no such name",
    422: "The values can't be used",
    428: "The request needs If-Match",
    429: "Too many tries",
    431: "The headers are too large",
    500: "The server failed",
    503: "Not available now",
}

#: The status of each kind of error; the first that fits counts.
_STATUSES: tuple[tuple[type[Exception], int], ...] = (
    (AccessDenied, 403),
    (DuplicateName, 409),
    (CertificateError, 422),
    (ModelError, 422),
    (ConfigurationError, 422),
    (ConfigurationConflict, 409),
    (ChangeUnderWay, 409),
    (ChangeStopped, 503),
    (ListenError, 409),
    (UnknownName, 422),
    (TxlbError, 409),
)


class Refusal(TxlbError):
    """
    A request that the REST interface refuses by itself.

    @ivar status: of HTTP.
    @ivar headers: further headers of the answer.
    @ivar more: further members of the problem.
    """

    def __init__(
        self,
        status: int,
        detail: str,
        headers: Mapping[str, str] | None = None,
        more: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.headers = headers or {}
        self.more = more or {}


def problemReply(
    status: int,
    detail: str,
    headers: Mapping[str, str] | None = None,
    more: Mapping[str, object] | None = None,
) -> Reply:
    """
    Return a problem as an answer.

    @param detail: the sentence.
    @param headers: further headers.
    @param more: further members.
    """
    value = {
        "type": "about:blank",
        "title": TITLES[status],
        "status": status,
        "detail": detail,
        **(more or {}),
    }
    return Reply((encoded(value),), status, PROBLEM, headers or {})


def errorReply(error: TxlbError, named: Sequence[str] = ()) -> Reply:
    """
    Return an error that was raised on purpose as an answer.

    @param named: the names in the path: a thing of such a name that does not exist is a
        resource that does not exist.
    """
    if isinstance(error, Refusal):
        return problemReply(error.status, str(error), error.headers, error.more)
    status = next(status for kind, status in _STATUSES if isinstance(error, kind))
    more: dict[str, object] = {}
    detail = str(error)
    if isinstance(error, UnknownName) and error.name in named:
        status = 404
    elif isinstance(error, ConfigurationConflict):
        detail = "\n".join(error.lines)
        more["remedies"] = [
            {"purpose": each.purpose, "command": each.command, "option": each.option}
            for each in error.remedies
        ]
    elif isinstance(error, ConfigurationError):
        more["problems"] = [{"line": each.line, "message": each.message} for each in error.problems]
    return problemReply(status, detail, more=more)
