"""
The parts of a console that its requests share.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from txlb.admin._history import History
from txlb.admin._target import Target
from txlb.admin._work import Ration, RationedWork
from txlb.admin.login import Logins
from txlb.admin.web._authority import Authority
from txlb.admin.web._challenges import Challenges
from txlb.admin.web._guard import Guard
from txlb.admin.web._operations import Operations
from txlb.admin.web._sessions import Sessions
from txlb.admin.web._static import StaticFiles
from txlb.admin.web._streams import Streams
from txlb.admin.web._versions import Versions
from txlb.deadlines import Deadlines

if TYPE_CHECKING:
    from txlb.config import AdminToken

#: The work for all long answers: see L{txlb.admin.control._clients.COMMANDS}.
ANSWERS = Ration(slice=0.001, pause=0.001, share=0.2, saved=0.3, owed=0.02, atOnce=True)


class Console:
    """
    The parts of a console. Owned by a L{txlb.admin.web.WebService}, or by the resource of those
    that embed it.

    @param balancer: the L{txlb.application.LoadBalancedService}.
    @param config: its L{txlb.config.Configuration}; L{None} if there is no file.
    @param logins: decides about passwords.
    @param tokens: those of programs.
    @param hostNames: the names by which browsers may ask for it; empty for the default.
    @param refresh: seconds between two updates that are pushed to pages.
    @param openMetrics: whether C{/metrics} needs no login.
    @param needsTLS: whether clients of other machines have to come by TLS.
    @param history: the events that its owner keeps for the time before and after it; by default
        a new one.
    @ivar logins: decides about passwords.
    @ivar target: the target of commands.
    @ivar work: makes long answers.
    """

    def __init__(
        self,
        balancer: Any,
        config: Any,
        logins: Logins,
        reactor: Any,
        *,
        tokens: Iterable[AdminToken] = (),
        hostNames: Iterable[str] = (),
        refresh: float = 30.0,
        openMetrics: bool = False,
        needsTLS: bool = False,
        history: History | None = None,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self.deadlines = Deadlines(reactor, seconds)
        self.logins = logins
        self.history = History() if history is None else history
        self.target = Target(balancer, config, self.history, self.deadlines, logins=logins)
        self.work = RationedWork(self.deadlines, ANSWERS)
        self.sessions = Sessions(seconds)
        self.challenges = Challenges(self.deadlines)
        self.authority = Authority(logins, self.sessions, self.challenges, tokens)
        self.guard = Guard(hostNames, needsTLS)
        self.versions = Versions()
        self.operations = Operations()
        self.static = StaticFiles()
        self.streams = Streams(self.history, self.deadlines, balancer.manager, refresh)
        self.openMetrics = openMetrics
        self._unsubscribe: Callable[[], None] = balancer.manager.subscribe(self.history)

    def stop(self) -> None:
        """
        End all sessions, streams and timers.
        """
        self._unsubscribe()
        self.challenges.stop()
        self.sessions.endAll()
        self.streams.stop()
        self.work.stop()
        self.deadlines.stop()
