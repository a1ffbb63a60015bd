"""
The console as a resource: from a request to an operation or a file, and to the answer.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from typing import Any, NoReturn

from twisted.internet.defer import CancelledError, Deferred, maybeDeferred
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from txlb.admin._access import Caller
from txlb.admin._log import log
from txlb.admin.web._answering import Answering
from txlb.admin.web._bodies import mostOf
from txlb.admin.web._call import Call
from txlb.admin.web._console import Console
from txlb.admin.web._headers import setHeaders
from txlb.admin.web._media import JSON
from txlb.admin.web._operation import SAFE, Operation
from txlb.admin.web._problem import Refusal, errorReply, problemReply
from txlb.admin.web._reply import Reply
from txlb.admin.web._session import Session
from txlb.admin.web._static import StaticFile
from txlb.admin.web._tree import tagOf, versionOf
from txlb.errors import TxlbError, UnknownName, nearest

#: The paths below which there are operations alone, and no files.
_API = "api"

#: Segments of a path, and arguments of a query.
MAX_SEGMENTS = 16
MAX_QUERY = 64


class WebResource(Resource):
    """
    The console. It takes all paths below the one where it is put.

    @ivar console: the parts that requests share.
    """

    isLeaf = True

    def __init__(self, console: Console) -> None:
        super().__init__()
        self.console = console

    def render(self, request: Any) -> Any:
        """
        Answer a request.
        """
        self.console.logins.giveWay()
        setHeaders(request)
        answering = maybeDeferred(self._answer, request)
        gone = request.notifyFinish()
        gone.addErrback(lambda _: answering.cancel())
        answering.addErrback(self._failed, request)
        answering.addCallback(self._send, request)
        answering.addErrback(self._unsent, request)
        return NOT_DONE_YET

    # From the request to the operation

    def _answer(self, request: Any) -> Any:
        self.console.logins.giveWay()
        segments = _segmentsOf(request)
        methods, places = self.console.operations.find(segments)
        method = request.method.decode("latin-1")
        if not any(not each.access for each in methods.values()) or segments[:1] == [_API]:
            self.console.guard.checkHost(request)
        if not methods:
            return self._file(request, segments, method)
        wanted = "GET" if method == "HEAD" else method
        operation = methods.get(wanted)
        if operation is None:
            allowed = sorted({*methods, *(["HEAD"] if "GET" in methods else []), "OPTIONS"})
            headers = {"Allow": ", ".join(allowed)}
            if method == "OPTIONS":
                return Reply((), 204, "", headers)
            raise Refusal(405, f"this resource has: {', '.join(allowed)}", headers)
        if not operation.access:
            return self._run(operation, request, places, (None, None))
        if operation.openable:
            if self.console.openMetrics:
                return self._run(operation, request, places, (None, None))
            login = self.console.authority.basicCallerOf(request)
            return login.addCallback(lambda found: self._run(operation, request, places, found))
        found = self.console.authority.callerOf(request)
        return self._run(operation, request, places, found)

    def _file(self, request: Any, segments: list[str], method: str) -> Reply:
        if segments[:1] == [_API]:
            raise Refusal(404, "there is no such resource; /api/openapi.json lists them all")
        file = self.console.static.find("/".join(segments))
        if file is None:
            raise Refusal(404, "there is no such page")
        if method not in {"GET", "HEAD"}:
            raise Refusal(405, "a page can be read only", {"Allow": "GET, HEAD"})
        return _fileReply(request, file)

    def _run(
        self,
        operation: Operation,
        request: Any,
        places: Mapping[str, str],
        found: tuple[Caller | None, Session | None],
    ) -> Any:
        caller, session = found
        if operation.method not in SAFE and (session is not None or not operation.access):
            self.console.guard.checkOrigin(request, strict=session is not None)
        if caller is not None:
            caller.check(operation.access, operation.name)
        self.console.logins.giveWay()
        query = _queryOf(request, operation)
        most = mostOf(request, request.path, self.console.authority)
        body = _bodyOf(request, operation, most)
        call = Call(self.console, request, caller, session, places, query, body)
        try:
            self._checkVersion(call, operation)
            done: Deferred[Reply] = maybeDeferred(_runOf(operation), call)
            done.addCallback(self._tagged, call, operation)
            return done.addErrback(_asReply, places)
        except TxlbError as error:
            return errorReply(error, tuple(places.values()))

    def _checkVersion(self, call: Call, operation: Operation) -> None:
        # The configuration compares its own version.
        if not operation.writes or operation.tagged in {"", "configuration"}:
            return
        headers = call.request.requestHeaders.getRawHeaders(b"if-match") or []
        if not headers:
            return
        tags = [tag.strip() for each in headers for tag in each.decode("latin-1").split(",")]
        try:
            resource = versionOf(call, operation.tagged)
        except UnknownName:
            if operation.method != "PUT":
                raise
            raise Refusal(412, "it is not there, and so has no version; nothing was done") from None
        self.console.versions.check(tags, *resource)

    def _tagged(self, reply: Reply, call: Call, operation: Operation) -> Reply:
        if operation.tagged in {"", "configuration"} or not operation.writes:
            return reply
        try:
            tag = tagOf(call, operation.tagged)
        except UnknownName:
            return reply  # it was removed
        call.request.setHeader(b"etag", tag.encode("ascii"))
        return reply

    # Answers

    def _failed(self, failure: Failure, request: Any) -> Reply:
        if failure.check(CancelledError):
            return Reply(None)
        error = failure.value
        if isinstance(error, TxlbError):
            return errorReply(error)
        log.failure("a request to the console failed", failure)
        return problemReply(500, "the request failed; the log of the balancer says more")

    def _send(self, reply: Reply, request: Any) -> None:
        if reply.pieces is None or request._disconnected:  # noqa: SLF001 - Twisted has no other
            return
        self.console.logins.giveWay()
        request.setResponseCode(reply.status)
        for name, value in reply.headers.items():
            request.setHeader(name.encode("ascii"), value.encode("ascii"))
        if reply.tag:
            request.setHeader(b"etag", reply.tag.encode("ascii"))
        if reply.media:
            request.setHeader(b"content-type", reply.media.encode("ascii"))
        if request.method == b"HEAD":
            request.write(b"")
            request.finish()
            return
        self._sendBody(request, iter(reply.pieces))

    def _unsent(self, failure: Failure, request: Any) -> None:
        if request.startedWriting:
            log.failure("an answer of the console was not sent", failure)
            request.loseConnection()
        else:
            request.responseHeaders.removeHeader(b"etag")
            self._send(self._failed(failure, request), request)

    def _sendBody(self, request: Any, pieces: Iterator[bytes]) -> None:
        # A command that looks may find only now that it can't be done.
        first = next(pieces, b"")
        second = next(pieces, None)
        if second is None:
            if request.code not in {204, 304}:
                request.setHeader(b"content-length", str(len(first)).encode("ascii"))
            self.console.logins.giveWay()
            request.write(first)
            self.console.logins.giveWay()
            request.finish()
            return
        console = self.console
        rest = chain((first, second), pieces)
        Answering(request, rest, console.work, console.deadlines).start()


def _runOf(operation: Operation) -> Callable[[Call], Any]:
    return operation.run


def _asReply(failure: Failure, places: Mapping[str, str]) -> Reply:
    error = failure.value
    if not isinstance(error, TxlbError):
        failure.raiseException()
    return errorReply(error, tuple(places.values()))


def _segmentsOf(request: Any) -> list[str]:
    if len(request.postpath) > MAX_SEGMENTS:
        raise Refusal(404, "there is no such resource")
    try:
        found = [each.decode("utf-8") for each in request.postpath]
    except UnicodeDecodeError:
        raise Refusal(400, "the path is no UTF-8") from None
    while found and not found[-1]:
        found.pop()
    return found


def _queryOf(request: Any, operation: Operation) -> Mapping[str, str]:
    if len(request.args) > MAX_QUERY:
        raise Refusal(400, f"a request has at most {MAX_QUERY} arguments")
    found: dict[str, str] = {}
    known = {each.name for each in operation.query}
    for key, values in request.args.items():
        try:
            name, texts = key.decode("utf-8"), [each.decode("utf-8") for each in values]
        except UnicodeDecodeError:
            raise Refusal(400, "the query is no UTF-8") from None
        if name == "lastEventId":
            continue
        if name not in known:
            hint = nearest(name, known)
            remedy = f"; did you mean {hint!r}?" if hint else ""
            raise Refusal(422, f"{operation.name} has no argument {name[:80]!r}{remedy}")
        if len(texts) > 1:
            raise Refusal(422, f"{name} is given {len(texts)} times; once is enough")
        found[name] = texts[0]
    return found


def _bodyOf(request: Any, operation: Operation, most: int) -> object:
    if operation.body is None or request.content is None:
        return None
    data: bytes = request.content.read(most + 1)
    if len(data) > most:
        raise Refusal(413, f"the body has at most {most} bytes")
    if not data:
        if operation.needsBody:
            raise Refusal(400, f"{operation.name} needs a body, of {operation.media}")
        if operation.media == JSON:
            # So a form of another site can't ask for it: a browser asks before it sends this.
            _checkMedia(request, operation, needed=False)
            return {}
    _checkMedia(request, operation, needed=True)
    if operation.media != JSON:
        return data
    return _parsed(data)


def _checkMedia(request: Any, operation: Operation, needed: bool) -> None:
    values = request.requestHeaders.getRawHeaders(b"content-type") or []
    media = values[0].decode("latin-1").partition(";")[0].strip().lower() if values else ""
    if media != operation.media and (needed or media):
        raise Refusal(
            415, f"the body of {operation.name} is of the type {operation.media}", {"Accept": JSON}
        )


def _parsed(data: bytes) -> object:
    try:
        value = json.loads(data.decode("utf-8"), parse_constant=_noNumber)
    except (ValueError, RecursionError):
        raise Refusal(400, "the body is no JSON in UTF-8") from None
    if not isinstance(value, dict):
        raise Refusal(422, "the body is a JSON object")
    return value


def _noNumber(text: str) -> NoReturn:
    raise ValueError(text)


def _fileReply(request: Any, file: StaticFile) -> Reply:
    request.setHeader(b"cache-control", b"no-cache")
    wanted = request.requestHeaders.getRawHeaders(b"if-none-match") or []
    if any(file.tag.encode("ascii") in each for each in wanted):
        return Reply((), 304, "", tag=file.tag)
    return Reply((file.data,), media=file.media, tag=file.tag)
