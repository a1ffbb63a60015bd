"""
Network namespaces, in which a test says which addresses, routes, ports and names there
are.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SkipTest

from tests.integration.programs import PATIENCE
from tests.integration.support._case import IntegrationTestCase

#: Steps after which nothing answers at these addresses: not so much as a refusal comes
#: back.
SILENT = ("ip route add 192.0.2.0/24 dev lo", "ip -6 route add 2001:db8::/32 dev lo")
#: Nothing answers at these addresses: not so much as a refusal comes back.


def inNamespace(
    case: IntegrationTestCase,
    *steps: str,
    hosts: tuple[str, ...] = (),
    names: dict[str, tuple[str, ...]] | None = None,
    resolver: str = "",
    withoutIPv6Sockets: bool = False,
) -> tuple[str, ...]:
    """
    A command that runs another in a namespace of its own. Only sockets in the file
    system lead into it.

    @param steps: shell commands that prepare it; the loopback interface is up.
    @param hosts: the hosts in it, each C{name=address:port}; see
        L{tests.integration.inside}.
    @param names: the names that there are, each with its addresses in their order.
    @param resolver: the address of the server for all other names; by default they
        are looked up nowhere.
    @param withoutIPv6Sockets: whether the command gets no IPv6 sockets.
    """
    case.need("unshare", "ip", "mount")
    lines = ["ip link set lo up", *steps]
    for name, text in (
        ("hosts", _hosts(names or {})),
        ("resolv.conf", f"nameserver {resolver}\n" if resolver else ""),
        ("nsswitch.conf", f"hosts: files{' dns' if resolver else ''}\n"),
    ):
        path = shlex.quote(str(case.write(name, text)))
        # Some systems lack the last.
        lines.append(f"if [ -e /etc/{name} ]; then mount --bind {path} /etc/{name}; fi")
    script = case.write("namespace.sh", "\n".join(["set -e", *lines, 'exec "$@"', ""]))
    before = ("unshare", "-Urnm", "sh", str(script))
    tried = subprocess.run(
        (*before, "true"), check=False, capture_output=True, text=True, timeout=PATIENCE
    )
    if tried.returncode:
        raise SkipTest(f"this machine allows no such namespace: {tried.stderr.strip()}")
    inside = str(Path(__file__).parent.parent / "inside.py")
    forbid = ("--forbid-IPv6",) if withoutIPv6Sockets else ()
    return (*before, sys.executable, inside, *forbid, *hosts, "--")


def _hosts(names: dict[str, tuple[str, ...]]) -> str:
    return "".join(f"{each} {name}\n" for name, found in names.items() for each in found)
