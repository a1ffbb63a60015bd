"""
The OpenAPI document, made of the operations.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from txlb._version import __version__
from txlb.admin.web._arguments import schemaOf
from txlb.admin.web._media import JSON, PROBLEM
from txlb.admin.web._operation import Operation
from txlb.admin.web._overview import COLUMNS
from txlb.admin.web._problem import TITLES

_ANY = {"type": "object", "additionalProperties": True}


def _object(*required: str, **members: object) -> dict[str, object]:
    return {
        "type": "object",
        "properties": members,
        "required": list(required),
        "additionalProperties": True,
    }


def _listOf(name: str) -> dict[str, object]:
    return {"type": "array", "items": {"$ref": f"#/components/schemas/{name}"}}


_TEXT = {"type": "string"}
_TEXTS = {"type": "array", "items": _TEXT}

_SCHEMAS: Mapping[str, object] = {
    "Row": _object("row", row={"type": "string", "description": "the kind of the row"}),
    "Rows": _object("rows", rows=_listOf("Row")),
    "Problem": _object(
        "type",
        "title",
        "status",
        "detail",
        type=_TEXT,
        title=_TEXT,
        status={"type": "integer"},
        detail={"type": "string", "description": "the sentence that the command line prints"},
        differs=_TEXTS,
        remedies={"type": "array", "items": _ANY},
        problems={"type": "array", "items": _ANY},
        challenge={"type": "string", "description": "the question of a login"},
        echo={
            "type": "boolean",
            "description": "whether the answer may be shown while it is typed",
        },
        continuation={"type": "string", "description": "to be sent with the answer to it"},
    ),
    "Session": _object(
        "name",
        "access",
        "user",
        "version",
        name=_TEXT,
        access=_TEXT,
        user={"type": ["string", "null"]},
        version=_TEXT,
    ),
    "State": _object("status", status=_TEXT),
    "Description": _ANY,
    "Document": _TEXT,
    "Host": _object("name", "address", "state", name=_TEXT, address=_TEXT, state=_TEXT),
    "Group": _object(
        "name", "scheduler", "hosts", name=_TEXT, scheduler=_TEXT, hosts=_listOf("Host")
    ),
    "Service": _object(
        "name", "addresses", "groups", name=_TEXT, addresses=_TEXTS, groups=_listOf("Group")
    ),
    "Listener": _object(
        "name", "service", "addresses", name=_TEXT, service=_TEXT, addresses=_TEXTS
    ),
    "Services": _object("services", services=_listOf("Service")),
    "Groups": _object("groups", groups=_listOf("Group")),
    "Hosts": _object("hosts", hosts=_listOf("Host")),
    "Listeners": _object("listeners", listeners=_listOf("Listener")),
    "Overview": _object(
        "time",
        "last",
        "columns",
        "services",
        time={"type": "number"},
        last=_TEXT,
        columns={"type": "array", "items": {"enum": list(COLUMNS)}},
        services={"type": "array", "items": _ANY},
    ),
}

#: Characters of an argument in a query: it has to fit into the first line with others.
MAX_QUERY_TEXT = 512

#: Statuses of every operation, of those with a login, of those with arguments in the path, of
#: those with a body, of changes. What a command asks for may not be there, such as a cluster: 409.
_ALWAYS = (400, 421, 431)
_LOGIN = (401, 403, 409)
_PLACES = (404,)
_QUERY = (422,)
_BODY = (413, 415, 422)
_WRITES = (403, 409, 412, 413, 422, 503)


def openapiDocument(operations: Iterable[Operation]) -> dict[str, object]:
    """
    Make the document, by OpenAPI 3.1.
    """
    paths: dict[str, dict[str, object]] = {}
    for each in operations:
        paths.setdefault(each.path, {})[each.method.lower()] = _operation(each)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "txlb",
            "version": __version__,
            "description": "The REST interface of a load balancer.",
        },
        "servers": [{"url": ".."}],
        "paths": paths,
        "components": {
            "schemas": _SCHEMAS,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "session": {"type": "apiKey", "in": "cookie", "name": "__Host-txlb"},
            },
        },
    }


def _operation(operation: Operation) -> dict[str, object]:
    made: dict[str, object] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "description": _description(operation),
        "security": [{"token": []}, {"session": []}] if operation.access else [],
        "parameters": list(_parameters(operation)),
        "responses": _responses(operation),
    }
    if operation.body is not None:
        schema = {"schema": operation.body}
        made["requestBody"] = {
            "required": operation.needsBody,
            "content": {operation.media: schema},
        }
    return made


def _description(operation: Operation) -> str:
    needs = f"Needs {operation.access} access." if operation.access else "Needs no login."
    return f"{operation.doc} {needs}".strip()


def _parameters(operation: Operation) -> Iterable[dict[str, object]]:
    for each in operation.places:
        schema = {"type": "string", "minLength": 1, "maxLength": 255}
        yield {
            "name": each.name,
            "in": "path",
            "required": True,
            "description": each.doc,
            "schema": schema,
        }
    for each in operation.query:
        schema = {name: value for name, value in schemaOf(each).items() if name != "description"}
        if "maxLength" in schema:
            schema["maxLength"] = MAX_QUERY_TEXT
        yield {
            "name": each.name,
            "in": "query",
            "required": each.required,
            "description": each.doc,
            "schema": schema,
        }
    if operation.tagged and operation.writes:
        yield {
            "name": "If-Match",
            "in": "header",
            "required": False,
            "description": "the ETag of the resource as it was read; it is not changed if it "
            "has another one now",
            "schema": {"type": "string", "maxLength": 1000},
        }


def _responses(operation: Operation) -> dict[str, object]:
    statuses = dict.fromkeys(_ALWAYS, "")
    for isSo, several in (
        (operation.access, _LOGIN),
        (operation.places, _PLACES),
        (operation.query, _QUERY),
        (operation.body is not None, _BODY),
        (operation.writes, _WRITES),
    ):
        if isSo:
            statuses.update(dict.fromkeys(several, ""))
    statuses.update(operation.statuses)
    found: dict[str, object] = {_right(operation): _rightAnswer(operation)}
    for status, text in sorted(statuses.items()):
        found[str(status)] = {
            "description": text or f"{TITLES[status]}.",
            "content": {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
    return found


def _right(operation: Operation) -> str:
    return "200" if operation.answer else "204"


def _rightAnswer(operation: Operation) -> dict[str, object]:
    made: dict[str, Any] = {"description": "It is done." if operation.writes else "The answer."}
    if operation.answer:
        made["content"] = {
            media: {
                "schema": {"$ref": f"#/components/schemas/{operation.answer}"}
                if media == JSON
                else {"type": "string"}
            }
            for media in operation.answers
        }
    if operation.tagged:
        made["headers"] = {
            "ETag": {"description": "the version of the resource", "schema": {"type": "string"}}
        }
    return made
