"""
Operations that are no commands: the session, the overview, the stream of events, the state of the
balancer for other programs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from txlb._version import __version__
from txlb.admin._access import READONLY
from txlb.admin._arguments import readArguments
from txlb.admin._commands import findCommand
from txlb.admin.web._authority import (
    MAX_ANSWER,
    MAX_CONTINUATION,
    MAX_NAME,
    MAX_PASSWORD,
    setCookie,
)
from txlb.admin.web._call import Call
from txlb.admin.web._challenges import PATIENCE
from txlb.admin.web._commandoperations import API, Looking
from txlb.admin.web._media import JSON, STREAM
from txlb.admin.web._operation import Operation
from txlb.admin.web._overview import overviewPieces
from txlb.admin.web._problem import Refusal
from txlb.admin.web._reply import TAKEN, Reply, jsonReply
from txlb.admin.web._session import Session

#: The members of a login, and of an answer to a question of one, with their longest texts.
_LOGIN = {"user": MAX_NAME, "password": MAX_PASSWORD}
_ANSWER = {"continuation": MAX_CONTINUATION, "answer": MAX_ANSWER}


def _textsOf(members: Mapping[str, int], secret: str) -> dict[str, object]:
    texts = {name: {"type": "string", "maxLength": most} for name, most in members.items()}
    return {
        "type": "object",
        "properties": {**texts, secret: {**texts[secret], "format": "password"}},
        "required": list(members),
        "additionalProperties": False,
    }


_CREDENTIALS = {"oneOf": [_textsOf(_LOGIN, "password"), _textsOf(_ANSWER, "answer")]}


def _login(call: Call) -> Any:
    body: Any = call.body
    members = next((each for each in (_LOGIN, _ANSWER) if set(body) == set(each)), None)
    if members is None:
        raise Refusal(
            422, "a login has user and password, or continuation and answer, and nothing else"
        )
    for name, most in members.items():
        if not isinstance(body[name], str) or len(body[name]) > most:
            raise Refusal(422, f"{name} is a text of at most {most} characters")

    def begun(session: Session) -> Reply:
        setCookie(call.request, session.identifier)
        return jsonReply(_described(session.caller.name, session.caller.access, session.user))

    authority = call.console.authority
    goOn = authority.logIn if members is _LOGIN else authority.goOn
    return goOn(call.request, *(body[name] for name in members)).addCallback(begun)


def _described(name: str, access: str, user: str | None) -> dict[str, object]:
    return {"name": name, "access": access, "user": user, "version": __version__}


def _session(call: Call) -> Reply:
    caller = call.authorized
    user = None if call.session is None else call.session.user
    return jsonReply(_described(caller.name, caller.access, user))


def _logout(call: Call) -> Reply:
    if call.session is not None:
        call.console.sessions.end(call.session)
    setCookie(call.request, "")
    return Reply((), 204, "")


def _overview(call: Call) -> Reply:
    console = call.console
    return Reply(overviewPieces(console.target.balancer.manager, console.streams.last))


_EVENTS = findCommand("events")


def _events(call: Call) -> Any:
    accepts = call.request.requestHeaders.getRawHeaders(b"accept") or [b""]
    if not any(STREAM.encode("ascii") in each for each in accepts):
        return Looking(_EVENTS)(call)
    readArguments(_EVENTS.arguments, call.query, _EVENTS.name)
    request = call.request
    request.setHeader(b"content-type", STREAM.encode("ascii"))
    request.setHeader(b"x-accel-buffering", b"no")
    call.console.streams.add(request, call.session, call.console.work)
    return TAKEN


def _openapi(call: Call) -> Reply:
    return Reply((call.console.operations.document,), media=JSON)


def _health(_call: Call) -> Reply:
    return jsonReply({"status": "alive"})


def _ready(call: Call) -> Reply:
    balancer = call.console.target.balancer
    manager = balancer.manager
    names = tuple(manager.services)
    waiting = [name for name in names if manager.serviceSnapshot(name, hosts=False).notAccepting]
    running = bool(getattr(balancer, "running", True))
    if running and not waiting:
        return jsonReply({"status": "ready"})
    text = f"{len(waiting)} of {len(names)} services accept no clients now"
    raise Refusal(503, text if running else "the balancer does not run", {"Retry-After": "5"})


def _open(name: str, path: str, summary: str, run: Any, answer: str, **more: Any) -> Operation:
    return Operation(name, "GET", path, "", summary, run, answer=answer, **more)


#: See the module.
OWN = (
    Operation(
        "login",
        "POST",
        f"{API}/login",
        "",
        "Log a user in, and begin a session",
        _login,
        "The session is in a cookie. The session that the client had before ends. If the source "
        "of the login has a question, such as for the code of a second factor, the answer is 401 "
        "with challenge, the question, echo, and continuation. The same client sends its answer "
        f"with this continuation, once and within {PATIENCE:.0f} seconds. There may be several "
        "questions.",
        body=_CREDENTIALS,
        needsBody=True,
        answer="Session",
        statuses={
            401: "The user, the password or the answer is wrong, there were too many tries, or "
            "there is a question: challenge, with continuation."
        },
    ),
    Operation("logout", "POST", f"{API}/logout", READONLY, "End the session", _logout, answer=""),
    Operation(
        "getSession",
        "GET",
        f"{API}/session",
        READONLY,
        "Tell the user of this request",
        _session,
        answer="Session",
    ),
    Operation(
        "getOverview",
        "GET",
        f"{API}/overview",
        READONLY,
        "Show all services, groups and hosts in a short form",
        _overview,
        "A host is a list of values, which columns names. The stream of events has the updates.",
        answer="Overview",
    ),
    Operation(
        "events",
        "GET",
        f"{API}/events",
        READONLY,
        "Show the last events, or follow them",
        _events,
        "With Accept: text/event-stream it is a stream of server-sent events: event (with an "
        "id), update of the overview, gap where something was left out, and hello at its "
        "beginning. It begins after Last-Event-ID. Else it is the command events. " + _EVENTS.doc,
        query=_EVENTS.arguments,
        answers=(JSON, STREAM),
        statuses={503: "There are too many streams."},
    ),
    _open("getDescription", "/api/openapi.json", "Describe the interface", _openapi, "Description"),
    _open("isAlive", "/health", "Tell that the process lives", _health, "State"),
    _open(
        "isReady",
        "/ready",
        "Tell whether all services accept clients",
        _ready,
        "State",
        statuses={503: "A service accepts no clients."},
    ),
)
