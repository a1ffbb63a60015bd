"""
What catalogs of services say of hosts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from txlb.discovery._entries import GroupedEntries, parseDocument
from txlb.discovery._foundhost import MAX_METADATA, MAX_METADATA_TEXT
from txlb.errors import ModelError
from txlb.model import shown

#: The words of the forms of documents, the default one first.
FORMS = ("txlb", "consul", "nomad")


def entriesIn(data: bytes, form: str, before: GroupedEntries | None = None) -> GroupedEntries:
    """
    Read a document. It may be called in a thread.

    @param form: one of L{FORMS}.
    @param before: what the document was before.
    @raise DocumentError: it is no list.
    """
    document = parseDocument(data)
    read = _READ.get(form)
    return GroupedEntries(document if read is None else _read(document, read), before=before)


def _read(document: list[object], read: Callable[[Any], dict[str, object] | None]) -> Iterator[Any]:
    for entry in document:
        try:
            found = read(entry)
        except (AttributeError, KeyError, TypeError):
            found = None
            yield ModelError(f"{shown(entry)} is no entry of such a catalog")
        if found is not None:
            yield found


def _ofConsul(entry: Any) -> dict[str, object] | None:
    """
    Read an instance of a service, as C{/v1/health/service/NAME} lists it.

    @return: L{None} for an instance with a check that is critical.
    """
    service, node = entry["Service"], entry["Node"]
    states = {each["Status"] for each in entry.get("Checks") or ()}
    if "critical" in states:
        return None
    weights = service.get("Weights") or {}
    return {
        "name": _name(f"{node['Node']}:{service['ID']}"),
        "address": _address(service.get("Address") or node["Address"], service["Port"]),
        "weight": weights.get("Warning" if "warning" in states else "Passing", 1),
        "metadata": _metadata(service.get("Meta") or {}),
    }


def _ofNomad(entry: Any) -> dict[str, object]:
    """
    Read an instance of a service, as C{/v1/service/NAME} lists it.
    """
    return {
        "name": _name(entry["ID"]),
        "address": _address(entry["Address"], entry["Port"]),
        "metadata": _metadata({"job": entry.get("JobID"), "datacenter": entry.get("Datacenter")}),
    }


_READ: dict[str, Callable[[Any], dict[str, object] | None]] = {
    "consul": _ofConsul,
    "nomad": _ofNomad,
}


def _name(text: str) -> str:
    return text.replace("/", "-")


def _address(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _metadata(found: Mapping[Any, Any]) -> dict[str, str]:
    """
    Return those texts that fit: a catalog may have longer ones, and more.
    """
    fits = [
        (name, value)
        for name, value in found.items()
        if all(isinstance(each, str) and len(each) <= MAX_METADATA_TEXT for each in (name, value))
    ]
    return dict(fits[:MAX_METADATA])
