"""
Looking at a balancer and changing it while it runs: a Python prompt that is
reached by ssh.
"""

from txlb.admin._passwords import hashPassword, isOldHash, newPassword
from txlb.admin._service import DEFAULT_LISTEN, ManholeService, manholeService
from txlb.admin._state import stateDirectory
from txlb.admin._status import statusTable
from txlb.config import AdminUser

__all__ = [
    "DEFAULT_LISTEN",
    "AdminUser",
    "ManholeService",
    "hashPassword",
    "isOldHash",
    "manholeService",
    "newPassword",
    "stateDirectory",
    "statusTable",
]
