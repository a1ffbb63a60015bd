"""
Addresses in the descriptions of Twisted's endpoints, such as
C{tcp:8080:interface=127.0.0.1}, as C{serverFromString} and C{clientFromString} take them.
"""

from __future__ import annotations

import re

from txlb.errors import AddressError

#: The address on which a server endpoint listens that names no interface.
_ANY = {"tcp": "0.0.0.0", "tcp4": "0.0.0.0", "tcp6": "::"}  # noqa: S104 - as Twisted has it

#: A name before the first colon that begins a description for TCP.
_TCP = re.compile(r"(tcp|tcp4|tcp6):(?!//)(.+)\Z", re.DOTALL)

_UNIX = re.compile(r"unix:(?:address=)?([^\\:]*):((?:[A-Za-z]+=[^:]*:?)+)\Z", re.DOTALL)

_SYSTEMD = re.compile(r"systemd:((?:domain|name|index)=.+)\Z", re.DOTALL)

_OPTION = re.compile(r"[A-Za-z]+=")

#: Options of Twisted's that are settings elsewhere here, with where.
_ELSEWHERE = {
    "backlog": "it is a setting of the listener",
    "timeout": "the service has connectTimeout",
    "bindAddress": "a host has no such setting",
    "lockfile": "a socket that a dead process has left is removed without",
}


def serverAddress(text: str) -> tuple[str, str, str] | None:
    """
    Read the description of a server endpoint.

    @return: the kind (C{tcp}, C{unix} or C{systemd}); the host, path or name; and the
        port, or the mode of the socket in octal digits if it is given. L{None} if it is no
        description.
    @raise AddressError: it is one that can't be used.
    """
    tcp, unix, systemd = _TCP.match(text), _UNIX.match(text), _SYSTEMD.match(text)
    if tcp is not None:
        plain, named = _split(text, tcp[2], ("port", "interface"))
        port = named.get("port", plain[0] if plain else "")
        return "tcp", named.get("interface", _ANY[tcp[1]]), port
    if unix is not None:
        _, named = _split(text, unix[2], ("mode",))
        return "unix", unix[1], named.get("mode", "")
    if systemd is not None:
        _, named = _split(text, systemd[1], ("domain", "name"))
        if "name" not in named:
            raise AddressError(f"{text!r} has no name=: the FileDescriptorName= of the unit")
        return "systemd", named["name"], ""
    return None


def clientAddress(text: str) -> tuple[str, str] | None:
    """
    Read the description of a client endpoint for TCP.

    @return: the host and the port; L{None} if it is no description, C{tcp:80} included,
        which is port 80 of a host named tcp.
    @raise AddressError: it is one that can't be used.
    """
    tcp = _TCP.match(text)
    if tcp is None or ":" not in tcp[2]:
        return None
    plain, named = _split(text, tcp[2], ("host", "port"))
    values = [*plain, "", ""]
    return named.get("host", values[0]), named.get("port", values[1 if "host" not in named else 0])


def _split(text: str, words: str, known: tuple[str, ...]) -> tuple[list[str], dict[str, str]]:
    """
    Split the words behind the kind at their colons.

    @param known: the options that there are.
    @return: the values without a name, and those with one.
    """
    plain: list[str] = []
    named: dict[str, str] = {}
    # A colon within a value has a backslash before it.
    for part in re.split(r"(?<!\\):", words):
        value = part.replace("\\:", ":")
        if not _OPTION.match(part):
            plain.append(value)
            continue
        name, _, value = value.partition("=")
        if name not in known:
            remedy = _ELSEWHERE.get(name, f"there are {', '.join(known)}")
            raise AddressError(f"option {name!r} in {text!r} can't be used: {remedy}")
        named[name] = value
    return plain, named
