"""
The table of connect errors, made from the one that relays, checks and probes use.
"""

from __future__ import annotations

import errno
from pathlib import Path

from sphinx.application import Sphinx

from txlb.connecting import MEANINGS, About, Meaning
from txlb.connecting._errors import NO_ADDRESS, NO_PERMISSION

#: The consequence of an error for each thing that it can be about.
FOLLOWS = {
    About.HOST: "the host is marked down",
    About.FAMILY: "the host is marked down",
    About.FIREWALL: "the host is marked down",
    About.PORTS: "the next host is tried; the host stays up",
    About.RESOURCES: "the client is closed; the host stays up",
    About.BUSY: "the next host is tried; the host stays up",
}


def rows() -> str:
    """
    Return the table in reStructuredText.
    """
    known: list[tuple[str, Meaning]] = []
    for number, meaning in MEANINGS.items():
        known.append((errno.errorcode[number], meaning))
        if number == errno.EADDRNOTAVAIL:
            known.append(("EADDRNOTAVAIL, without an address", NO_ADDRESS))
        elif number == errno.EACCES:
            known.append(("EACCES, of a UNIX socket", NO_PERMISSION))
    lines = [".. list-table::", "   :header-rows: 1", "   :widths: 22 14 40 24", ""]
    lines += ["   * - error", "     - is about", "     - in the log", "     - consequence"]
    for name, meaning in known:
        words = meaning.words.format(family="IPv6", zone="eth0")
        lines += [f"   * - {name}", f"     - {meaning.about.value}", f"     - {words}"]
        lines.append(f"     - {FOLLOWS[meaning.about]}")
    return "\n".join([*lines, ""])


def write(app: Sphinx) -> None:
    """
    Write the table if it has changed.
    """
    path = Path(app.srcdir) / "reference" / "generated" / "connect-errors.inc"
    path.parent.mkdir(parents=True, exist_ok=True)
    text = rows()
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def setup(app: Sphinx) -> dict[str, object]:
    """
    Connect to Sphinx.
    """
    app.connect("builder-inited", write, priority=100)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
