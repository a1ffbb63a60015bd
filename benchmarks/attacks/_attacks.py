"""
The list of attacks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.attacks._balancer import Balancer


@dataclass(frozen=True)
class Attack:
    """
    Something that is done to a balancer.

    @ivar name: a short word for it.
    @ivar text: what it is, for the reader of a table.
    @ivar command: the arguments of the program that does it; none for no attack.
    """

    name: str
    text: str
    command: Callable[[Balancer], list[str]] | None = None


def _ssh(kind: str, *more: str) -> Callable[[Balancer], list[str]]:
    return lambda balancer: [kind, *map(str, balancer.ssh), *more]


def _tls(kind: str) -> Callable[[Balancer], list[str]]:
    return lambda balancer: [f"tls-{kind}", *map(str, balancer.tls)]


#: Nothing, measured twice in each round: what differs between the two is noise.
FIRST = Attack("none", "nothing")
AGAIN = Attack("none again", "nothing, measured again")

ATTACKS = (
    Attack(
        "busy neighbour",
        "a program that only uses the processor of clients and attackers",
        lambda _: ["busy"],
    ),
    Attack("ssh ignore", "15 ssh connections that send SSH_MSG_IGNORE", _ssh("ssh-ignore")),
    Attack(
        "ssh exchanges",
        "15 ssh connections, each for one key exchange by the costliest algorithm",
        _ssh("ssh-exchange"),
    ),
    Attack(
        "ssh offers",
        "15 ssh connections that offer keys to a user with 100 keys",
        _ssh("ssh-offers", "many"),
    ),
    Attack("ssh silent", "16 ssh connections that say nothing", _ssh("ssh-silent")),
    Attack(
        "ssh connects", "15 ssh connections that end at once, again and again", _ssh("ssh-connect")
    ),
    Attack(
        "control socket",
        "64 KiB of commands at a time on the control socket, with 2000 hosts to tell of",
        lambda balancer: ["control", str(balancer.control)],
    ),
    Attack(
        "chunked check",
        "a host that answers its check with chunks of one byte",
        lambda balancer: ["chunks", *map(str, balancer.checked)],
    ),
    Attack(
        "endless headers",
        "a host that answers its probe with headers without end",
        lambda balancer: ["headers", *map(str, balancer.probed)],
    ),
    Attack(
        "tls handshakes",
        "30 connections at once for which the server signs, again and again",
        _tls("handshakes"),
    ),
    Attack("tls garbage", "30 connections at once that send no TLS", _tls("garbage")),
    Attack(
        "tls records",
        "30 connections at once that send a ClientHello in records of one byte",
        _tls("records"),
    ),
    Attack(
        "tls piecemeal",
        "1,000 connections that send a ClientHello, a byte a second each",
        _tls("piecemeal"),
    ),
)
