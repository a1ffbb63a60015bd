"""
The list of commands by which administrators look at a running balancer and change it,
and the doors to it: a Python prompt that is reached by ssh, and a control socket for
programs.

Each name is loaded when it is first used. So a program that needs a small part, as the
C{txlb} command does, doesn't wait for the whole of Twisted's ssh.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from txlb.admin._access import FULL, OPERATOR, READONLY, Caller
    from txlb.admin._command import AdminCommand
    from txlb.admin._commands import COMMANDS, findCommand
    from txlb.admin._service import DEFAULT_LISTEN, ManholeService, manholeService
    from txlb.admin._state import stateDirectory
    from txlb.admin._status import statusTable
    from txlb.admin._target import Target
    from txlb.admin.control import ControlService, controlService
    from txlb.admin.login import (
        ILogin,
        Login,
        Logins,
        PasswordTry,
        Session,
        Sessions,
        loginsOf,
    )
    from txlb.admin.login._passwords import hashPassword, isOldHash, newPassword
    from txlb.admin.web import WebService, webResource, webService
    from txlb.config import AccessMap, AdminUser, CheckerSource, LDAPSource, RADIUSSource

__all__ = [
    "COMMANDS",
    "DEFAULT_LISTEN",
    "FULL",
    "OPERATOR",
    "READONLY",
    "AccessMap",
    "AdminCommand",
    "AdminUser",
    "Caller",
    "CheckerSource",
    "ControlService",
    "ILogin",
    "LDAPSource",
    "Login",
    "Logins",
    "ManholeService",
    "PasswordTry",
    "RADIUSSource",
    "Session",
    "Sessions",
    "Target",
    "WebService",
    "controlService",
    "findCommand",
    "hashPassword",
    "isOldHash",
    "loginsOf",
    "manholeService",
    "newPassword",
    "stateDirectory",
    "statusTable",
    "webResource",
    "webService",
]

_MODULES = {
    "txlb.admin._access": ("FULL", "OPERATOR", "READONLY", "Caller"),
    "txlb.admin._command": ("AdminCommand",),
    "txlb.admin._commands": ("COMMANDS", "findCommand"),
    "txlb.admin.login": (
        "ILogin",
        "Login",
        "Logins",
        "PasswordTry",
        "Session",
        "Sessions",
        "loginsOf",
    ),
    "txlb.admin.login._passwords": ("hashPassword", "isOldHash", "newPassword"),
    "txlb.admin._service": ("DEFAULT_LISTEN", "ManholeService", "manholeService"),
    "txlb.admin._state": ("stateDirectory",),
    "txlb.admin._status": ("statusTable",),
    "txlb.admin._target": ("Target",),
    "txlb.admin.control": ("ControlService", "controlService"),
    "txlb.admin.web": ("WebService", "webResource", "webService"),
    "txlb.config": ("AccessMap", "AdminUser", "CheckerSource", "LDAPSource", "RADIUSSource"),
}


def __getattr__(name: str) -> object:
    for module, names in _MODULES.items():
        if name in names:
            value: object = getattr(importlib.import_module(module), name)
            globals()[name] = value
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
