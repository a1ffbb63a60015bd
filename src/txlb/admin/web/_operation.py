"""
One operation of the REST interface, as data.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from txlb.admin._arguments import Argument
from txlb.admin.web._media import JSON

#: A JSON schema.
Schema = Mapping[str, object]

#: Methods that change nothing.
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class Operation:
    """
    One method of one path. The routes and the OpenAPI document are made of it.

    @ivar name: its name, the only one of its kind.
    @ivar method: GET, POST, PUT, PATCH or DELETE.
    @ivar path: below the version, such as C{/services/{service}}.
    @ivar access: the least access that it needs, one of L{txlb.admin._access.LEVELS}; empty if
        it needs no login.
    @ivar summary: a sentence without a full stop.
    @ivar doc: its description.
    @ivar run: does it, given a L{txlb.admin.web._call.Call}. It returns a
        L{txlb.admin.web._reply.Reply}, or a Deferred of one.
    @ivar places: the arguments in the path.
    @ivar query: the arguments after the question mark.
    @ivar body: the schema of the body; L{None} if it takes none.
    @ivar needsBody: whether the body has to be given.
    @ivar media: the type of the body.
    @ivar answer: the name of the schema of a right answer; empty for no content.
    @ivar answers: the media types of a right answer.
    @ivar tagged: the resource whose C{ETag} an answer has and a change compares: C{service},
        C{group}, C{host}, C{listener}, C{configuration}; empty for none.
    @ivar openable: whether it needs no login if metrics need none; a login can be by Basic then.
    @ivar statuses: further statuses of answers, each with its meaning.
    """

    name: str
    method: str
    path: str
    access: str
    summary: str
    run: Callable[[Any], object]
    doc: str = ""
    places: tuple[Argument, ...] = ()
    query: tuple[Argument, ...] = ()
    body: Schema | None = None
    needsBody: bool = False
    media: str = JSON
    answer: str = "Rows"
    answers: tuple[str, ...] = (JSON,)
    tagged: str = ""
    openable: bool = False
    statuses: Mapping[int, str] = field(default_factory=dict)

    @property
    def writes(self) -> bool:
        """
        Whether it changes something.
        """
        return self.method not in SAFE
