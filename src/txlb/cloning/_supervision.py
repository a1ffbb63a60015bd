"""
What a process of a cloned application tells systemd.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from twisted.internet.task import LoopingCall

from txlb.process import Supervisor


class Supervision:
    """
    Tells systemd how a cloned application is. The process that systemd has started does so,
    and one that manages, which becomes the main process of the service; other processes say
    nothing. A L{CloneGroup} owns it.

    @param supervisor: systemd.
    @param isMain: whether systemd has started this process, and not a manager.
    @param reactor: has the timer of the watchdog.
    """

    def __init__(self, supervisor: Supervisor, isMain: bool, reactor: Any) -> None:
        self._supervisor = supervisor
        self._isMain = isMain
        self._isReady = False
        self._watchdog = LoopingCall(supervisor.alive)
        self._watchdog.clock = reactor

    @property
    def environment(self) -> Mapping[str, str]:
        """
        The variables that processes of the same service get.
        """
        return self._supervisor.environment

    def start(self) -> None:
        """
        Begin with the messages of the watchdog, if it is this process that sends them.
        """
        interval = self._supervisor.watchdog
        if interval and self._isMain and not self._watchdog.running:
            self._watchdog.start(interval / 2)

    def manages(self) -> None:
        """
        Report that this process is the main one now.
        """
        self._isMain = True
        self._supervisor.mainProcess(os.getpid())
        self.start()

    def managesNoMore(self) -> None:
        """
        Leave the messages to the process that is the main one now.
        """
        self._isMain = False
        self.stop()

    def ready(self, status: str) -> None:
        """
        Report that clients are served, from the start on or after a reload.
        """
        if self._isMain:
            self._isReady = True
            self._supervisor.ready(status)

    def changed(self, status: str, isReady: bool) -> None:
        """
        Report how many processes serve.

        @param isReady: whether they are all there.
        """
        if isReady and not self._isReady:
            self.ready(status)
        elif self._isMain:
            self._supervisor.waiting(status)

    def reloading(self) -> None:
        """
        Report that the clones are being replaced.
        """
        if self._isMain:
            self._supervisor.reloading()

    def stopping(self, status: str) -> None:
        """
        Report that the application, or this process alone, ends.
        """
        if self._isMain:
            self._supervisor.stopping(status)

    def stop(self) -> None:
        """
        Send no messages of the watchdog any more.
        """
        if self._watchdog.running:
            self._watchdog.stop()
