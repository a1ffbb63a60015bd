"""
The page of L{benchmarks.peers.webapp} as a WSGI application, for gunicorn. Its environment
has no Twisted, so the few lines that make the page are here again; a test compares them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

#: Rows of the table on the page.
ROWS = 40


def application(_environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
    """
    Make the page anew, as the others do.
    """
    rows = "".join(
        f"<tr><td>{number}</td><td>{number * number}</td><td>{number**3:,}</td></tr>\n"
        for number in range(ROWS)
    )
    body = b"<html><body><table>\n" + rows.encode("ascii") + b"</table></body></html>\n"
    start("200 OK", [("Content-Type", "text/html"), ("Content-Length", str(len(body)))])
    return [body]
