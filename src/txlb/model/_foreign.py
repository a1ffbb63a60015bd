"""
Texts that are addresses elsewhere: URLs, Twisted's endpoint strings, bare paths.
The message for each names the address that was most likely meant.
"""

from __future__ import annotations

import re

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(?:[^/?#@]*@)?([^/?#]*)")

#: The ports of URLs that name none.
_DEFAULT_PORTS = {"http": 80, "ws": 80, "https": 443, "wss": 443}

#: The kinds of Twisted's endpoints that stand for TCP (twisted.internet.endpoints).
_ENDPOINT = re.compile(r"(?:haproxy:)?(?:tcp|tcp4|tcp6|ssl|tls):(.+)\Z", re.DOTALL)

_ENDPOINT_OPTION = re.compile(r"[A-Za-z]+=")

#: The options behind the path of Twisted's endpoints for UNIX sockets.
_UNIX_OPTION = re.compile(r":(mode|backlog|lockfile|timeout|checkPID|wantPID)=[^/]*\Z")


def explainForeign(text: str) -> str | None:
    """
    Explain a text that is no address here but one elsewhere.

    @return: what it is and what to write instead; L{None} if it is no such text.
    """
    meant: str | None = None
    url, endpoint = _URL.match(text), _ENDPOINT.match(text)
    if text.startswith("unix:"):
        meant = _explainUNIX(text)
    elif text.startswith("systemd:"):
        meant = "is a socket to listen on; a host is reached at host:port or unix:/path"
    elif text.startswith("/"):
        meant = f"is a path; the address of a UNIX socket is 'unix:{text}'"
    elif url is not None:
        meant = f"is a URL; the address alone is {_ofURL(url)}"
    elif endpoint is not None and ":" in endpoint[1]:
        meant = f"is an endpoint of Twisted's; the address alone is {_ofEndpoint(endpoint)}"
    elif text.isascii() and text.isdigit():
        port = text if len(text) < 6 else "80"
        meant = f"is no address but a port; write host:port, as in '127.0.0.1:{port}'"
    return None if meant is None else f"{text!r} {meant}"


def _explainUNIX(text: str) -> str | None:
    option = _UNIX_OPTION.search(text)
    if option is None:
        return None
    return (
        f"ends like an endpoint of Twisted's; the path alone follows unix:, as in "
        f"{text[: option.start()]!r}, and mode, user and group are settings of the listener"
    )


def _ofURL(url: re.Match[str]) -> str:
    scheme, place = url[1].lower(), url[2]
    if not place:
        return "host:port"
    if re.search(r":[0-9]+\Z", place):
        return repr(place)
    port = _DEFAULT_PORTS.get(scheme)
    return repr(f"{place.removesuffix(':')}:{'port' if port is None else port}")


def _ofEndpoint(endpoint: re.Match[str]) -> str:
    named: dict[str, str] = {}
    plain: list[str] = []
    # A colon within a value has a backslash before it.
    for part in re.split(r"(?<!\\):", endpoint[1]):
        if _ENDPOINT_OPTION.match(part):
            name, _, value = part.partition("=")
            named[name] = value.replace("\\:", ":")
        else:
            plain.append(part.replace("\\:", ":"))
    # A server has its port first, a client its host.
    if plain and plain[0].isdigit():
        named.setdefault("port", plain[0])
    elif plain:
        named.setdefault("host", plain[0])
        if len(plain) > 1:
            named.setdefault("port", plain[1])
    host = named.get("host", named.get("interface", "*"))
    port = named.get("port", "")
    if not port.isdigit():
        return "host:port"
    return repr(f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
