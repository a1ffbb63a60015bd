"""
The configuration file's elements and attributes, in one place.

The loader, the messages about names that it does not know, C{txlb check
--explain} and the reference page are all made from L{CONFIG}. Defaults come
from the values that they end up in; the model checks its ranges once more.
"""

from __future__ import annotations

from txlb.config._elements import Child, Element
from txlb.config._schema_admin import ADMIN, SSH, USER, WEB
from txlb.config._schema_checks import CHECK
from txlb.config._schema_groups import GROUP, HOST
from txlb.config._schema_process import (
    CONFIG_CHECK,
    CONTROL,
    HEARTBEAT,
    HOST_CHECK,
    LOGGING,
    MANAGER,
)
from txlb.config._schema_resources import RESOURCE
from txlb.config._schema_services import ALLOW, DENY, ENABLE, LISTEN, SERVICE

__all__ = [
    "ADMIN",
    "ALLOW",
    "CHECK",
    "CONFIG",
    "CONFIG_CHECK",
    "CONTROL",
    "DENY",
    "ENABLE",
    "GROUP",
    "HEARTBEAT",
    "HOST",
    "HOST_CHECK",
    "LISTEN",
    "LOGGING",
    "MANAGER",
    "NOTE",
    "RESOURCE",
    "SERVICE",
    "SSH",
    "USER",
    "WEB",
]

#: Version 1.1.0 ignored it wherever it stood, and so do we.
NOTE = Element("note", "A remark. Whatever is inside is not read. It may stand in any element.")

CONFIG = Element(
    "config",
    "The whole file. PythonDirector called it ``pdconfig``, which is accepted.",
    (),
    (
        Child(SERVICE, 1),
        Child(ADMIN, 0, 1),
        Child(MANAGER, 0, 1),
        Child(CONTROL, 0, 1),
        Child(LOGGING, 0, 1),
    ),
    aliases=("pdconfig",),
)
