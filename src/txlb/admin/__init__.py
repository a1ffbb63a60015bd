"""
Looking at a balancer and changing it while it runs: a list of commands, and what
is made of it, which is a Python prompt that is reached by ssh and a control
socket for programs.

What is here is loaded when it is first asked for: those who only want a small part,
as the C{txlb} command does, don't wait for the whole of Twisted's ssh.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from txlb.admin._commands import COMMANDS, AdminCommand, Target, findCommand
    from txlb.admin._passwords import hashPassword, isOldHash, newPassword
    from txlb.admin._service import DEFAULT_LISTEN, ManholeService, manholeService
    from txlb.admin._state import stateDirectory
    from txlb.admin._status import statusTable
    from txlb.admin.control import ControlService, controlService
    from txlb.config import AdminUser

__all__ = [
    "COMMANDS",
    "DEFAULT_LISTEN",
    "AdminCommand",
    "AdminUser",
    "ControlService",
    "ManholeService",
    "Target",
    "controlService",
    "findCommand",
    "hashPassword",
    "isOldHash",
    "manholeService",
    "newPassword",
    "stateDirectory",
    "statusTable",
]

_MODULES = {
    "txlb.admin._commands": ("COMMANDS", "AdminCommand", "Target", "findCommand"),
    "txlb.admin._passwords": ("hashPassword", "isOldHash", "newPassword"),
    "txlb.admin._service": ("DEFAULT_LISTEN", "ManholeService", "manholeService"),
    "txlb.admin._state": ("stateDirectory",),
    "txlb.admin._status": ("statusTable",),
    "txlb.admin.control": ("ControlService", "controlService"),
    "txlb.config": ("AdminUser",),
}


def __getattr__(name: str) -> object:
    for module, names in _MODULES.items():
        if name in names:
            value: object = getattr(importlib.import_module(module), name)
            globals()[name] = value
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
