"""
The reference of metrics, made of the list that the writer uses.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from sphinx.application import Sphinx

from txlb.admin.metrics import Family
from txlb.admin.metrics._families import (
    BALANCER,
    CERTIFICATES,
    CLUSTERS,
    GROUPS,
    HOSTS,
    LISTENERS,
    PROCESSES,
    PUBLISHERS,
    SERVICES,
    SOURCES,
)
from txlb.admin.metrics._haproxynames import BACKEND, FRONTEND, SERVER
from txlb.pool._histogram import CONNECT_BOUNDS, DURATION_BOUNDS

_HEAD = """\
Metrics
=======

``/metrics`` of the web console has these metrics, see :doc:`/how-to/metrics`. A sample that has no
value, such as the load of a host that reports none, is left out.

The buckets of ``txlb_group_connect_duration_seconds`` end at {connect} seconds, those of
``txlb_group_connection_duration_seconds`` at {duration} seconds.
"""

_HAPROXY = """\
By HAProxy's names
------------------

``/metrics?names=haproxy`` has these metrics of HAProxy 2.6's exporter. A service is a frontend, a
group is a backend ``service:group``, and a host is a server. Rates and highest values are those of
the points of the last hour, each of which is of ten seconds. There are also
``haproxy_frontend_status``, ``haproxy_backend_status``, ``haproxy_server_status``,
``haproxy_server_check_status``, ``haproxy_backend_agg_server_status``,
``haproxy_backend_agg_server_check_status`` and ``haproxy_backend_agg_check_status``, with the label
``state``, and ``haproxy_process_*`` of the process.
"""


def table(title: str, families: Iterable[Family]) -> str:
    """
    Return a section with a table of metrics.
    """
    lines = ["", title, "-" * len(title), "", ".. list-table::", "   :header-rows: 1"]
    lines += ["   :widths: 40 10 18 32", "", "   * - metric", "     - kind", "     - labels"]
    lines.append("     - meaning")
    for family in families:
        labels = ", ".join(f"``{label}``" for label in family.labels) or "none"
        lines += [f"   * - ``{family.name}``", f"     - {family.kind.value}", f"     - {labels}"]
        lines.append(f"     - {family.doc}")
    return "\n".join([*lines, ""])


def names(thing: str, columns: Iterable[str]) -> str:
    """
    Return the names of HAProxy's metrics of a kind of things.
    """
    found = ", ".join(f"``{each}``" for each in columns)
    return f"\n``haproxy_{thing}_``: {found}\n"


def page() -> str:
    """
    Return the page in reStructuredText.
    """
    shown = {
        name: ", ".join(f"{bound:g}" for bound in bounds)
        for name, bounds in (("connect", CONNECT_BOUNDS), ("duration", DURATION_BOUNDS))
    }
    parts = [_HEAD.format(**shown)]
    for title, families in (
        ("The process", BALANCER),
        ("Listeners", LISTENERS),
        ("Services", SERVICES),
        ("Groups", GROUPS),
        ("Hosts", HOSTS),
        ("Processes of a cloned application", PROCESSES),
        ("Certificates", CERTIFICATES),
        ("The cluster", CLUSTERS),
        ("Sources of hosts", SOURCES),
        ("Published events", PUBLISHERS),
    ):
        parts.append(table(title, families))
    parts.append("\n" + _HAPROXY)
    parts += [
        names(thing, columns)
        for thing, columns in (("frontend", FRONTEND), ("backend", BACKEND), ("server", SERVER))
    ]
    return "".join(parts)


def write(app: Sphinx) -> None:
    """
    Write the page if it has changed.
    """
    path = Path(app.srcdir) / "reference" / "generated" / "metrics.rst"
    path.parent.mkdir(parents=True, exist_ok=True)
    text = page()
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def setup(app: Sphinx) -> dict[str, object]:
    """
    Connect to Sphinx.
    """
    app.connect("builder-inited", write, priority=100)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
