"""
The bounds of bodies.
"""

from __future__ import annotations

from typing import Any

from txlb.admin._access import FULL
from txlb.admin.web._authority import Authority
from txlb.admin.web._problem import Refusal
from txlb.errors import AccessDenied

#: Bytes of a body: of a whole configuration, and of everything else.
MAX_CONFIGURATION = 8 * 1024 * 1024
MAX_BODY = 65_536

#: The part of a path below which bodies are configurations.
_CONFIGURATION = b"/api/v1/configuration"


def mostOf(request: Any, target: bytes, authority: Authority) -> int:
    """
    Return the number of bytes that the body of a request may have. A long one is for callers
    with full access alone, which may change the configuration.

    @param target: the path of the request.
    """
    if _CONFIGURATION not in target:
        return MAX_BODY
    try:
        authority.callerOf(request)[0].check(FULL, "a configuration")
    except (Refusal, AccessDenied):
        return MAX_BODY
    return MAX_CONFIGURATION
