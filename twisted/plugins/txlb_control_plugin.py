"""
Lets administrators in by the control socket of a cloned application.
"""

from typing import Any

from twisted.plugin import IPlugin
from zope.interface import implementer

from txlb.interfaces import IClones, IControlClients, IControlDoor


@implementer(IPlugin, IControlDoor)
class _ControlDoor:
    """
    Answers the commands of C{txlb}.
    """

    modules = (
        "twisted.protocols.amp",
        "txlb.admin._commands",
        "txlb.deadlines",
        "txlb.admin._actions",
        "txlb.admin.control",
    )

    def open(self, clones: IClones, reactor: Any) -> IControlClients:
        """
        Be ready for clients. See L{txlb.admin.control.ClonesDoor}.
        """
        from txlb.admin.control import ClonesDoor  # noqa: PLC0415 - only if a client connects

        return ClonesDoor(clones, reactor)


controlDoor = _ControlDoor()
