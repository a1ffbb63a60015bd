"""
Ciphers and groups by the names of profiles.

They are those of version 5.7 of Mozilla's "Server Side TLS" guideline,
U{https://wiki.mozilla.org/Security/Server_Side_TLS}, of which the page
U{https://ssl-config.mozilla.org/guidelines/5.7.json} has the data. C{intermediate} leaves out
the ciphers with DHE, which need parameters of their own: every client of the guideline's list
speaks ECDHE.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Profile:
    """
    The ciphers and groups of one profile.

    @ivar ciphers: those of TLS 1.2, as OpenSSL writes them; empty if it has no TLS 1.2.
    @ivar suites: those of TLS 1.3.
    @ivar groups: the groups for the exchange of keys.
    """

    ciphers: bytes
    suites: bytes
    groups: bytes


_SUITES = b"TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
_GROUPS = b"X25519:prime256v1:secp384r1"

#: The profiles by their words.
PROFILES = {
    "intermediate": Profile(
        b":".join(
            (
                b"ECDHE-ECDSA-AES128-GCM-SHA256",
                b"ECDHE-RSA-AES128-GCM-SHA256",
                b"ECDHE-ECDSA-AES256-GCM-SHA384",
                b"ECDHE-RSA-AES256-GCM-SHA384",
                b"ECDHE-ECDSA-CHACHA20-POLY1305",
                b"ECDHE-RSA-CHACHA20-POLY1305",
            )
        ),
        _SUITES,
        _GROUPS,
    ),
    "modern": Profile(b"", _SUITES, _GROUPS),
}
