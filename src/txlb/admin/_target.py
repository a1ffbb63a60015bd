"""
The target of commands.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from txlb.admin._history import History
    from txlb.admin.login import Logins
    from txlb.deadlines import Deadlines
    from txlb.interfaces import IClones


@dataclass(frozen=True, slots=True)
class Target:
    """
    The balancer that commands act on.

    @ivar balancer: the L{txlb.application.LoadBalancedService}.
    @ivar config: its L{txlb.config.Configuration}; L{None} if there is no file.
    @ivar history: its last events.
    @ivar deadlines: the clock of callers that wait for events to come; L{None} if callers
        can't wait.
    @ivar clones: the processes of the application, if it is cloned; L{None} if not.
    @ivar logins: the logins of its doors; L{None} if the door has none.
    """

    balancer: Any
    config: Any
    history: History
    deadlines: Deadlines | None = None
    clones: IClones | None = None
    logins: Logins | None = None
