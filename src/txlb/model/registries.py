"""
The registries of health checks, resource probes and sources of hosts.

The checks are in L{txlb.health}, the probes in L{txlb.resources} and the sources in
L{txlb.discovery}, which fill these registries. L{txlb.config}, which imports none of them,
reads them.
"""

from __future__ import annotations

from typing import Any

from txlb.errors import ModelError, shortened
from txlb.interfaces import IHealthCheckKind, IHostSourceKind, IResourceProbePlugin
from txlb.model.options import Option
from txlb.registry import Registry

__all__ = ["CHECKS", "PROBES", "SOURCES"]


def _accepted(kind: Any) -> Any:
    """
    Check what configuration files use of a kind: its text and its options.

    @raise ModelError: something is missing or wrong.
    """
    for name in ("doc", "options", "make"):
        if not hasattr(kind, name):
            raise ModelError(f"{kind.word!r} has no {name}")
    if not isinstance(kind.doc, str):
        raise ModelError(f"doc of {kind.word!r} is {shortened(repr(kind.doc))}; it is a text")
    if not callable(kind.make):
        raise ModelError(f"make of {kind.word!r} is {shortened(repr(kind.make))}; it is a function")
    if not isinstance(kind.options, (tuple, list)):
        raise ModelError(
            f"options of {kind.word!r} is {shortened(repr(kind.options))}; it is a tuple of Options"
        )
    for option in kind.options:
        if not isinstance(option, Option):
            raise ModelError(
                f"options of {kind.word!r} has {shortened(repr(option))} in it; each is an Option"
            )
    return kind


def _acceptedCheck(kind: Any) -> Any:
    if not isinstance(getattr(kind, "inFiles", None), bool):
        raise ModelError(f"{kind.word!r} does not say by inFiles whether files can ask for it")
    return _accepted(kind)


CHECKS: Registry[IHealthCheckKind] = Registry("check", IHealthCheckKind, _acceptedCheck)
PROBES: Registry[IResourceProbePlugin] = Registry("probe", IResourceProbePlugin, _accepted)
SOURCES: Registry[IHostSourceKind] = Registry("source of hosts", IHostSourceKind, _accepted)
