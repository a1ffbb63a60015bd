"""
The whole configuration as a resource.
"""

from __future__ import annotations

import hashlib
from typing import Any

from twisted.internet.defer import Deferred

from txlb.admin._access import FULL
from txlb.admin._log import log
from txlb.admin._rows import changeRows
from txlb.admin.web._call import Call
from txlb.admin.web._commandoperations import API
from txlb.admin.web._media import JSON, XML
from txlb.admin.web._operation import Operation
from txlb.admin.web._problem import Refusal
from txlb.admin.web._reply import Reply, rowsReply
from txlb.config import shownDifference
from txlb.errors import firstLines
from txlb.model import Plan

_PATH = f"{API}/configuration"

_DOCUMENT = {"type": "string", "description": "a configuration file, in XML"}

#: Lines of differences in one answer.
MOST_LINES = 50


def _file(call: Call) -> Any:
    found = call.console.target.balancer.configuration
    if found is None:
        raise Refusal(404, "the balancer has no configuration file")
    return found


def _tag(text: bytes) -> str:
    return f'"{hashlib.sha256(text).hexdigest()[:32]}"'


def _get(call: Call) -> Reply:
    text: bytes = _file(call).loaded.tostring()
    call.console.versions.remember(_tag(text), text)
    return Reply((text,), media=XML, tag=_tag(text))


def _bytes(call: Call) -> bytes:
    assert isinstance(call.body, bytes)  # noqa: S101 - the media type is no JSON
    return call.body


def _plan(call: Call) -> Deferred[Reply]:
    planned: Deferred[Plan] = _file(call).planOf(_bytes(call))
    return planned.addCallback(lambda plan: rowsReply(changeRows(plan.changes)))


def _put(call: Call) -> Deferred[Reply]:
    file = _file(call)
    text: bytes = file.loaded.tostring()
    wanted = [
        tag.strip()
        for each in call.request.requestHeaders.getRawHeaders(b"if-match") or []
        for tag in each.decode("latin-1").split(",")
    ]
    if not wanted:
        raise Refusal(
            428, "a change of the whole configuration needs If-Match with the ETag of the one read"
        )
    if _tag(text) not in wanted and "*" not in wanted:
        before = next(
            (found for tag in wanted if (found := call.console.versions.recall(tag))), None
        )
        lines = [] if before is None else shownDifference(before, text, "as read", "as it is")
        raise Refusal(
            412,
            "the configuration has changed since it was read, and nothing was done",
            {"ETag": _tag(text)},
            {"differs": firstLines(lines, "", MOST_LINES)},
        )
    caller = call.authorized
    log.info("{by}: replaces {path}", by=caller.name, path=file.path)
    with call.console.target.balancer.manager.by(caller.name):
        replaced: Deferred[Plan] = file.replace(_bytes(call), text)

    def told(plan: Plan) -> Reply:
        call.request.setHeader(b"etag", _tag(file.loaded.tostring()).encode("ascii"))
        return rowsReply(changeRows(plan.changes))

    return replaced.addCallback(told)


#: See the module.
CONFIGURATION = (
    Operation(
        "getConfiguration",
        "GET",
        _PATH,
        FULL,
        "Get the configuration file as it was loaded",
        _get,
        "It has no live changes; the command diff has them. Hashes of passwords are in it.",
        answer="Document",
        answers=(XML,),
        tagged="configuration",
    ),
    Operation(
        "putConfiguration",
        "PUT",
        _PATH,
        FULL,
        "Replace the configuration file, and load it",
        _put,
        "It is checked, applied and written completely or not at all. The old file is kept beside "
        "it. Live changes that are not in it stay, unless they contradict it.",
        body=_DOCUMENT,
        needsBody=True,
        media=XML,
        tagged="configuration",
        statuses={428: "If-Match is missing."},
    ),
    Operation(
        "planConfiguration",
        "POST",
        f"{_PATH}/plan",
        FULL,
        "Tell which changes another configuration would make",
        _plan,
        "It is checked as if it were to be loaded, and nothing is done.",
        body=_DOCUMENT,
        needsBody=True,
        media=XML,
        answers=(JSON,),
    ),
)
