"""
A running balancer and its configuration file.
"""

from __future__ import annotations

import operator
import os
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger

from txlb.application._ahead import Ahead, driftOf, lookAhead
from txlb.application._drift import Drift
from txlb.application._line import Line
from txlb.application._saving import saveTo
from txlb.config import ConfigCheckSettings, Configuration, loadConfiguration, readFile
from txlb.errors import ConfigurationConflict, TxlbError
from txlb.model import Plan, ProxyService, changesBetween, ownedByPeople

if TYPE_CHECKING:
    from txlb.application.service import LoadBalancedService

#: Files of at most so many bytes, of about 250 hosts, are read and compared at once, which takes
#: about 20 ms; for larger ones there is a thread.
SMALL = 16_384

#: How often a plan is made in a thread, if what runs is changed meanwhile.
MOST_TRIES = 3

_log = Logger()

_Result = TypeVar("_Result")

Follower = Callable[[Configuration], object]


class ConfigurationFile:
    """
    The file that a balancer was made from: it can be loaded again, and what was
    changed live can be saved to it. Both keep what others have done: a live
    change that the file says nothing about stays when it is loaded, and a file
    that somebody has changed is not written over.

    @param balancer: whose file.
    @param loaded: what it said when the balancer was made.

    @ivar loaded: what it said when it was last loaded or saved.
    @ivar lastError: why the last L{reload} or L{save} failed; L{None} where it
        did not.
    """

    def __init__(self, balancer: LoadBalancedService, loaded: Configuration) -> None:
        self.loaded = loaded
        self.lastError: TxlbError | None = None
        self._balancer = balancer
        self._followers: list[Follower] = []
        self._line = Line()
        balancer.configuration = self

    def __repr__(self) -> str:
        return f"<ConfigurationFile {self.path}>"

    def __getattr__(self, name: str) -> Any:
        # Whatever a configuration says, this does: services, admin, logging.
        return getattr(self.__dict__["loaded"], name)

    @property
    def path(self) -> str:
        """
        The file.
        """
        return self.loaded.path

    @property
    def settings(self) -> ConfigCheckSettings:
        """
        What is done with the file by itself.
        """
        return self.loaded.manager.configCheck or ConfigCheckSettings(30.0)

    def follow(self, follower: Follower) -> None:
        """
        Call something with each new configuration that is in force. It must not
        fail: whatever can is to be tried before.
        """
        self._followers.append(follower)

    # What differs

    def changes(self, services: Iterable[ProxyService]) -> list[str]:
        """
        What differs between the file as it was loaded and these services, a line
        each.
        """
        return self.loaded.changes(services)

    def unsaved(self) -> Plan:
        """
        What was changed live and is not in the file.
        """
        return changesBetween(self.loaded.services, ownedByPeople(self._running()))

    @property
    def busy(self) -> bool:
        """
        Whether the file is being read, loaded or saved.
        """
        return self._line.busy

    def differs(self) -> Deferred[bool]:
        """
        Find out whether the file is another one than the one that was loaded.

        @return: fires with whether it is. It fails with L{ConfigurationError} if the file
            can't be read.
        """
        return self._line.run(self._differs)

    async def _differs(self) -> bool:
        there = await self._inThread(readFile, self.path, size=_sizeOf(self.path))
        return there != self.loaded.tostring()

    def drift(self) -> Deferred[Drift]:
        """
        Compare the file as it is now, and what runs, with the file as it was loaded.

        @return: fires with the comparison. It fails with L{ConfigurationError} if
            something is wrong with the file.
        """
        return self._line.run(self._drift)

    async def _drift(self) -> Drift:
        return await self._inThread(driftOf, self.path, self.loaded, self._running())

    def plan(
        self, source: str | Configuration | None = None, *, discard: bool = False
    ) -> Deferred[Plan]:
        """
        Find out what L{reload} would change.

        @param source: another file, or what it says; by default the file itself.
        @param discard: see there.
        @return: fires with the plan. It fails with L{ConfigurationError} if something is
            wrong with the file, and with L{ConfigurationConflict} as L{reload} does.
        """
        return self._line.run(lambda: self._plan(source, discard))

    async def _plan(self, source: str | Configuration | None, discard: bool) -> Plan:
        new = await self._read(source)
        return (await self._ahead(new, discard)).plan

    # Loading

    def reload(self, *, discard: bool = False) -> Deferred[Plan]:
        """
        Load the file again. All of it is checked before anything is done, and
        what it says is applied as a whole or not at all. A large file is read in a thread, and
        large changes are made in slices; clients are served meanwhile.

        What was changed live and is not in the file stays, unless the file was
        changed in the same place: then nothing is done.

        @param discard: the file alone counts: live changes that are not in it
            are undone.
        @return: fires with what has changed, and what takes a restart. It fails with
            L{ConfigurationError} if something is wrong with the file; with
            L{ConfigurationConflict} if it contradicts what was changed live; with
            L{txlb.errors.ListenError} if an address can't be had; with L{ModelError} if
            live changes and those of the file break a rule together; with
            L{txlb.errors.ChangeUnderWay} if too many commands wait for the file already, or
            another change is under way; with L{TxlbError} if the balancer is stopped
            meanwhile.
        """
        return self._line.run(lambda: self._reloaded(discard))

    async def _reloaded(self, discard: bool) -> Plan:
        try:
            return await self._reload(discard)
        except TxlbError as error:
            self._failed("not loaded again, and nothing was changed", error)
            raise
        except CancelledError:
            raise TxlbError(f"the balancer was stopped while it loaded {self.path} again") from None
        except Exception as error:
            # A policy from elsewhere may raise anything.
            failure = TxlbError(f"{type(error).__name__}: {error}")
            self._failed("not loaded again, and nothing was changed", failure)
            raise failure from error

    async def _reload(self, discard: bool) -> Plan:
        new = await self._read(None)
        ahead = await self._ahead(new, discard)
        await self._balancer.applyInSlices(ahead.services)
        self.loaded = ahead.loaded
        self.lastError = None
        for follower in self._followers:
            follower(self.loaded)
        await self._balancer.slices.run(self._tell(ahead.plan))
        return ahead.plan

    def _tell(self, plan: Plan) -> Iterator[None]:
        """
        Log a reload, with a line at each step.
        """
        for change in plan.changes:
            _log.info("{path}: {line}", path=self.path, line=str(change))
            yield
        _log.info(
            "{path} was loaded again, {count} changes", path=self.path, count=len(plan.changes)
        )
        for change in self.unsaved().changes:
            _log.warn(
                "{path}: changed live and not in the file: {line}", path=self.path, line=str(change)
            )
            yield

    async def _read(self, source: str | Configuration | None) -> Configuration:
        if isinstance(source, Configuration):
            return source
        path = self.path if source is None else source
        return await self._inThread(loadConfiguration, path, size=_sizeOf(path))

    async def _ahead(self, new: Configuration, discard: bool) -> Ahead:
        """
        Find out what loading a configuration would do to what runs now. If that is changed
        meanwhile it is found out again, in the end without letting anything come between.
        """
        for _ in range(MOST_TRIES):
            running = self._running()
            ahead = await self._inThread(lookAhead, self.loaded, running, new, discard)
            if all(map(operator.is_, running, self._running())):
                return ahead
        return lookAhead(self.loaded, self._running(), new, discard)

    def _running(self) -> tuple[ProxyService, ...]:
        return tuple(self._balancer.manager.services.values())

    async def _inThread(
        self, function: Callable[..., _Result], *arguments: Any, size: int | None = None
    ) -> _Result:
        """
        Call a pure function: in a thread, unless the file is so small that it takes no time.

        @param size: bytes of the file; by default of the one that was loaded.
        """
        if (len(self.loaded.tostring()) if size is None else size) <= SMALL:
            return function(*arguments)
        return await self._balancer.slices.inThread(function, *arguments)

    def stop(self) -> None:
        """
        Do no more with the file: what is under way fails.
        """
        self._line.stop()

    # Saving

    def save(self, *, overwrite: bool = False) -> Deferred[str | None]:
        """
        Write what was changed live to the file: as a whole or not at all, with
        its comments and its order, its permissions and its owner. The old file
        is kept beside it, with the time behind its name. A large file is written in a
        thread; clients are served meanwhile.

        @param overwrite: also if another has changed it since it was
            loaded; these changes are lost then.
        @return: fires with the path of the old file; L{None} if nothing had to be saved,
            or if none is kept. It fails with L{ConfigurationConflict} if another has
            changed the file; with L{ConfigurationError} if it can't be written, or can't
            say this. What was there is untouched then.
        """
        return self._line.run(lambda: self._saved(overwrite))

    async def _saved(self, overwrite: bool) -> str | None:
        try:
            return await self._save(overwrite)
        except TxlbError as error:
            self._failed("not saved", error)
            raise

    def trySave(self, *, overwrite: bool = False) -> Deferred[str | None]:
        """
        Do the same as L{save}, without a line in the log if it fails.
        """
        return self._line.run(lambda: self._save(overwrite))

    async def _save(self, overwrite: bool) -> str | None:
        loaded, backups = self.loaded, self.settings.backups
        saved = await self._inThread(saveTo, loaded, self._running(), overwrite, backups)
        if saved is None:
            return None
        self.loaded = saved.loaded
        self.lastError = None
        _log.info("{path} was saved", path=self.path)
        return saved.kept

    def _failed(self, what: str, error: TxlbError) -> None:
        self.lastError = error
        _log.error("{path}: {what}: {error}", path=self.path, what=what, error=forLog(error))


def _sizeOf(path: str) -> int:
    """
    Return the size of a file in bytes; 0 if it can't be told, as reading it tells why.
    """
    try:
        return os.stat(path).st_size
    except OSError:
        return 0


def forLog(error: TxlbError) -> str:
    """
    An error as text for the log. Its reader may have the control socket, the
    manhole, or both, so it names a remedy as each of them spells it.
    """
    if isinstance(error, ConfigurationConflict):
        return error.explained(lambda each: f"{each.shell}, or in the manhole {each.python}")
    return str(error)
