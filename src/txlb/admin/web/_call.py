"""
One request to an operation, after its login and its arguments were checked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from txlb.admin._access import Caller
from txlb.admin._target import Target
from txlb.admin._work import RationedWork
from txlb.admin.web._authority import Authority
from txlb.admin.web._session import Session
from txlb.admin.web._sessions import Sessions
from txlb.admin.web._streams import Streams
from txlb.admin.web._versions import Versions


class Described(Protocol):
    """
    The part of the table of operations that an operation needs.
    """

    @property
    def document(self) -> bytes:
        """
        The OpenAPI document, as JSON.
        """


class Shared(Protocol):
    """
    The parts of a L{txlb.admin.web._console.Console} that operations need.
    """

    authority: Authority
    sessions: Sessions
    streams: Streams
    target: Target
    versions: Versions
    work: RationedWork

    @property
    def operations(self) -> Described:
        """
        The table of operations.
        """


@dataclass(frozen=True, slots=True)
class Call:
    """
    One request.

    @ivar console: the parts that all requests share.
    @ivar request: Twisted's request.
    @ivar caller: the user or program; L{None} if there was no login.
    @ivar session: the session of the user; L{None} for a program, or without a login.
    @ivar path: the arguments in the path.
    @ivar query: the arguments after the question mark, as texts.
    @ivar body: the value of a JSON body, or the bytes of another one; L{None} for none.
    """

    console: Shared
    request: Any
    caller: Caller | None
    session: Session | None = None
    path: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    body: object = None

    @property
    def authorized(self) -> Caller:
        """
        The caller of an operation that needs a login.
        """
        assert self.caller is not None  # noqa: S101 - the operation was refused without
        return self.caller
