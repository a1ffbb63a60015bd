"""
Registries that are as they were when a test is over.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from txlb.registry import Registry


def keepRegistries(case: SynchronousTestCase, *registries: Registry[Any]) -> None:
    """
    Undo what a test registers.
    """
    for registry in registries:
        case.patch(registry, "_entries", dict(registry._entries))
        case.patch(registry, "_finder", registry._finder)
