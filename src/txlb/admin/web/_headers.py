"""
The headers of every answer.
"""

from __future__ import annotations

from typing import Any

#: What pages may do: use files of the console itself, and write HTML by one policy of
#: lit-html's alone.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types lit-html"
)

HEADERS: tuple[tuple[bytes, bytes], ...] = (
    (b"content-security-policy", POLICY.encode("ascii")),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
    (b"cache-control", b"no-store"),
)


def setHeaders(request: Any) -> None:
    """
    Set the headers that every answer has.
    """
    request.responseHeaders.removeHeader(b"server")
    for name, value in HEADERS:
        request.setHeader(name, value)
