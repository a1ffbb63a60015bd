"""
The arguments of the peers that are written in Python.
"""

from __future__ import annotations


def addressesOf(arguments: list[str]) -> list[tuple[str, int]]:
    """
    Addresses, from words such as C{127.0.0.1:8080}.
    """
    pairs = (argument.rsplit(":", 1) for argument in arguments)
    return [(host, int(port)) for host, port in pairs]
