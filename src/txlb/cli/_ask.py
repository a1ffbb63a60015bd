"""
C{txlb client-address}: the client behind a connection that a host has.
"""

from __future__ import annotations

import argparse

from txlb.cli._client import Client
from txlb.cli._command import OK, Command
from txlb.cli._where import addSocketOptions, findSocket


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("host", metavar="HOST", help="the address from which the host sees it come")
    parser.add_argument("port", metavar="PORT", type=_port, help="the port")
    parser.add_argument(
        "--at",
        metavar="ADDRESS",
        type=_at,
        default={},
        help="the host:port at which it was accepted; connections to several hosts may come from "
        "one port",
    )
    addSocketOptions(parser)


def _port(text: str) -> str:
    if not text.isascii() or not text.isdecimal() or not 0 < int(text[:9]) < 65536:
        raise argparse.ArgumentTypeError(f"{text!r} is no port; ports are 1 to 65535")
    return text


def _at(text: str) -> dict[str, str]:
    host, _, port = text.rpartition(":")
    if not host:
        raise argparse.ArgumentTypeError(f"{text!r} is no address; say host:port")
    return {"serverHost": host.strip("[]"), "serverPort": _port(port)}


def _run(arguments: argparse.Namespace) -> int:
    with Client(findSocket(arguments)) as client:
        found = client.call(
            "GetClientAddress", host=arguments.host, port=arguments.port, **arguments.at
        )
    host, port = found.get("host", ""), found.get("port", "0")
    if port == "0":
        print(host)
    else:
        print(f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
    return OK


CLIENT_ADDRESS = Command(
    "client-address",
    "tell which client is behind a host's connection",
    "Tells which client is behind a connection that a host has accepted from the balancer.",
    _configure,
    _run,
)
