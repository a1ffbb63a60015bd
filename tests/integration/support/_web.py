"""
nginx as web hosts.
"""

from __future__ import annotations

import os
from pathlib import Path

from tests.integration.programs import Program
from tests.integration.support._case import IntegrationTestCase

_TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


def server(
    port: int | str, answer: str = "", more: str = "", listen: str = "", name: str = "/"
) -> str:
    """
    A web host.

    @param port: of the loopback interface, or a whole address.
    @param answer: what it says, nginx's variables included; a line end follows.
    @param more: more lines of its configuration.
    @param listen: options of its listener.
    @param name: the path under which it says it.
    """
    address = port if isinstance(port, str) else f"127.0.0.1:{port}"
    says = f'location {name} {{ return 200 "{answer}\\n"; }}' if answer else ""
    return f"server {{ listen {address} {listen}; {more} {says} }}"


def sites(case: IntegrationTestCase, *servers: str) -> Program:
    """
    Start one nginx with some hosts, and wait until it serves.

    @param servers: made by L{server}; the first one listens on a port of the
        loopback interface.
    """
    case.need("nginx")
    prefix = case.folder / f"nginx-{len(list(case.folder.glob('nginx-*'))) + 1}"
    prefix.mkdir()
    path = prefix / "nginx.conf"
    path.write_text(_configuration(prefix, "\n  ".join(servers)), encoding="utf-8")
    command = ("nginx", "-p", prefix, "-c", path, "-e", prefix / "error.log")
    program = case.start(*command)
    address = servers[0].split()[3]
    program.waitForPort(int(address.rpartition(":")[2].rstrip(";")))
    return program


def _configuration(prefix: Path, servers: str) -> str:
    temporary = "\n".join(f"  {name}_temp_path {prefix}/{name};" for name in _TEMPORARY)
    # Its worker has to read the files that tests make.
    user = "user root;" if os.geteuid() == 0 else ""
    return f"""
daemon off;
{user}
pid {prefix}/nginx.pid;
worker_processes 1;
worker_rlimit_nofile 16384;
error_log {prefix}/error.log warn;
events {{ worker_connections 8192; }}
http {{
{temporary}
  access_log off;
  default_type text/plain;
  keepalive_requests 1000000;
  {servers}
}}
"""
