"""
An endpoint that is cloned, for programs that take the description of one.
"""

from __future__ import annotations

import os
import re
from typing import Any

from twisted.internet import defer
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import (
    IListeningPort,
    IProtocolFactory,
    IStreamServerEndpoint,
)
from zope.interface import implementer

from txlb.cloning._group import CloneGroup
from txlb.cloning._groups import RUN, begin, end, groupAt, onlyFolder
from txlb.cloning._listenersettings import ListenerSettings, listenerSettings
from txlb.cloning._reactor import SharingReactor
from txlb.cloning._rendezvous import CloningError
from txlb.cloning._settings import CloneSettings, processCount
from txlb.cloning._sharedendpoint import listenOn
from txlb.cloning._startup import isTwistd, startingUp
from txlb.errors import ModelError
from txlb.model import ProxyHost


@implementer(IStreamServerEndpoint)
class CloneEndpoint:
    """
    Listens in several processes, which all run the program that has this endpoint.

    @param reactor: the real one.
    @param description: of the endpoint that is shared.
    @param settings: how the program is cloned.
    @param folder: the path of the folder where the processes meet. By default it is the
        one that this process has already, or C{run} and the description.
    @param listenerSettings: how connections come to the clones.
    """

    def __init__(
        self,
        reactor: Any,
        description: str,
        settings: CloneSettings,
        folder: str = "",
        listenerSettings: ListenerSettings | None = None,
    ) -> None:
        self._listenerSettings = listenerSettings
        self._reactor = reactor
        self._description = description
        self._settings = settings
        self._isGiven = bool(folder)
        name = re.sub(r"[^\w.-]+", "-", description).strip("-")
        # The working directory may be another one when it listens.
        self._folder = os.path.abspath(folder or os.path.join(RUN, name))

    @classmethod
    def fromWords(
        cls,
        reactor: Any,
        processes: str,
        endpoint: str,
        scheduler: str = "leastc",
        maxConnections: str = "",
        graceTime: str = "30",
        folder: str = "",
        standby: str = "yes",
        hosts: str = "",
        sharing: str = "grants",
        slowStart: str = "0",
    ) -> CloneEndpoint:
        """
        Make one from the arguments of C{clone:}: the number of clones, or C{auto}, and the
        description of the endpoint that they share. Further ones mean what they mean for
        L{CloningService}; the folder is C{run} and the first endpoint's description by
        default, such as C{run/tcp-8080}. C{hosts} are addresses, C{,} between them; each is
        named by its address.

        @raise CloningError: a setting is wrong.
        @raise SystemExit: likewise, if C{twistd} starts the program.
        """
        with startingUp():
            settings = CloneSettings(
                processCount(processes if processes == "auto" else _number("processes", processes)),
                _number("graceTime", graceTime, float),
                _boolean("standby", standby),
            )
            listening = listenerSettings(
                scheduler,
                _number("maxConnections", maxConnections) if maxConnections else None,
                hosts=_hosts(hosts),
                sharing=sharing,
                slowStart=_number("slowStart", slowStart, float),
            )
        return cls(reactor, endpoint, settings, folder, listening)

    @property
    def folder(self) -> str:
        """
        The folder's absolute path.
        """
        return self._folder if self._isGiven else onlyFolder() or self._folder

    def listen(self, protocolFactory: IProtocolFactory) -> Deferred[IListeningPort]:
        """
        Listen. The clones begin when the reactor runs.

        @return: fires with the port, or fails with L{CannotListenError}.
        @raise CloningError: the endpoint can't be shared, or the folder can't be used.
        @raise SystemExit: there is an error, and C{twistd} starts the program.
        """
        with startingUp():
            group = groupAt(self.folder, self._settings)
            sharing = SharingReactor(self._reactor, group, self._listenerSettings)
            try:
                port = listenOn(sharing, self._description, protocolFactory)
            except CannotListenError:
                if not isTwistd():
                    return defer.fail()
                raise
        self._reactor.callWhenRunning(begin, group)
        return defer.succeed(ClonePort(port, group))


@implementer(IListeningPort)
class ClonePort:
    """
    A port that ends the clones when it stops.

    @param port: the shared one.
    """

    def __init__(self, port: IListeningPort, group: CloneGroup) -> None:
        self._port = port
        self._group = group

    def startListening(self) -> None:
        """
        Do nothing: it listens already.
        """

    def stopListening(self) -> Deferred[None]:
        """
        Accept nothing more.

        @return: fires when the connections have ended, or the grace time is over.
        """
        return end(self._group)

    def getHost(self) -> Any:
        return self._port.getHost()


def _hosts(words: str) -> list[ProxyHost]:
    try:
        return [ProxyHost.at(each, each) for each in words.split(",") if each]
    except ModelError as problem:
        raise CloningError(f"hosts is {words!r:.100}: {problem}") from None


def _number(name: str, word: str, kind: Any = int) -> Any:
    try:
        return kind(word)
    except ValueError:
        raise CloningError(f"{name} is {word!r}, no number") from None


def _boolean(name: str, word: str) -> bool:
    if word.lower() not in {"yes", "no"}:
        raise CloningError(f"{name} is {word!r}: give yes or no")
    return word.lower() == "yes"
