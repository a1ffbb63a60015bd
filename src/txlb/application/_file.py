"""
A running balancer and its configuration file.
"""

from __future__ import annotations

import operator
import os
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from txlb.application._ahead import Ahead, driftOf, lookAhead
from txlb.application._drift import Drift
from txlb.application._edits import NO_EDITS, Edits, editsOf
from txlb.application._handedchanges import handedChanges
from txlb.application._line import Line
from txlb.application._saving import saveTo
from txlb.config import (
    ConfigCheckSettings,
    Configuration,
    loadConfiguration,
    parseConfiguration,
    readFile,
    writeFile,
)
from txlb.errors import ChangeStopped, ConfigurationConflict, TxlbError
from txlb.model import Plan, ProxyService, changesBetween, ownedByPeople
from txlb.process import Stamp, stampOf
from txlb.tls import settingsOf as tlsSettingsOf

if TYPE_CHECKING:
    from txlb.application._runs import Runs

#: Files of at most so many bytes, of about 250 hosts, are read and compared at once,
#: which takes about 20 ms; larger ones in a thread.
SMALL = 16_384

#: The most hosts of a balancer whose reload from a small file is done at once.
MOST_HOSTS = 500

#: The most plans that are made in a thread, if the running services change meanwhile.
MOST_TRIES = 3

_log = Logger()

_Result = TypeVar("_Result")

Follower = Callable[[Configuration], object]


class ConfigurationFile:
    """
    The file that a balancer was made from. It can be loaded again, and live changes can
    be saved to it. Neither loses changes of the other: loading keeps live changes of
    other things, and saving does not overwrite a file that has changed.

    @param balancer: the balancer.
    @param loaded: the configuration that the balancer was made from.

    @ivar loaded: the configuration when it was last loaded or saved.
    @ivar lastError: the error of the last L{reload} or L{save}; L{None} if it
        succeeded.
    """

    def __init__(self, balancer: Runs, loaded: Configuration) -> None:
        self.loaded = loaded
        self.lastError: TxlbError | None = None
        self._balancer = balancer
        self._followers: list[Follower] = []
        self._line = Line()
        # What was found at the last look at the file, what the file was then, and with which
        # configuration it was compared.
        self._edits = NO_EDITS
        self._stamp: Stamp | None = None
        self._compared: Configuration | None = None
        self._looking: list[Deferred[Edits]] = []
        balancer.configuration = self

    def __repr__(self) -> str:
        return f"<ConfigurationFile {self.path}>"

    def __getattr__(self, name: str) -> Any:
        # All other attributes are those of the configuration: services, admin, logging.
        return getattr(self.__dict__["loaded"], name)

    @property
    def path(self) -> str:
        """
        The path of the file.
        """
        return self.loaded.path

    @property
    def settings(self) -> ConfigCheckSettings:
        """
        The settings of automatic saving and loading.
        """
        return self.loaded.manager.configCheck or ConfigCheckSettings(30.0)

    def follow(self, follower: Follower) -> None:
        """
        Call a function with each new configuration that is in force. It must not fail:
        check before that everything in it can be applied.
        """
        self._followers.append(follower)

    # What differs

    def changes(self, services: Iterable[ProxyService]) -> list[str]:
        """
        List the differences between the file as it was loaded and these services, a
        line each. Hosts that sources have found are left out.
        """
        return self.loaded.changes(services)

    def unsaved(self) -> Plan:
        """
        Return the live changes that are not in the file.
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
        Find out whether the file differs from the one that was loaded.

        @return: fires with whether it does. It fails with L{ConfigurationError} if the
            file can't be read.
        """
        return self._line.run(self._differs)

    async def _differs(self) -> bool:
        there = await self._inThread(readFile, self.path, size=_sizeOf(self.path))
        return there != self.loaded.tostring()

    @property
    def edits(self) -> list[str] | None:
        """
        What L{look} found last, a line each; L{None} if the file was not edited.
        """
        return self._edits.lines if self._edits and self._compared is self.loaded else None

    def look(self) -> Deferred[Edits]:
        """
        See whether the file was edited since it was loaded. It is read, in a thread if it is
        large, only if its size or its time of change is another one than at the last look.

        @return: fires with the edits. It does not fail.
        """
        stamp = stampOf(self.path)
        if stamp == self._stamp and self._compared is self.loaded:
            return succeed(self._edits)
        looked: Deferred[Edits] = Deferred(self._looking.remove)
        self._looking.append(looked)
        if len(self._looking) == 1:
            looking = Deferred.fromCoroutine(self._look(stamp))
            looking.addErrback(lambda reason: _log.failure("the file was not read", reason))
        return looked

    async def _look(self, stamp: Stamp | None) -> None:
        loaded = self.loaded
        try:
            self._edits = await self._inThread(editsOf, self.path, loaded, size=_sizeOf(self.path))
            self._stamp, self._compared = stamp, loaded
        finally:
            waiting, self._looking = self._looking, []
            for each in waiting:
                each.callback(self._edits)

    def drift(self) -> Deferred[Drift]:
        """
        Compare the file as it is now, and the running services, with the file as it was
        loaded.

        @return: fires with the comparison. It fails with L{ConfigurationError} if the
            file has an error.
        """
        return self._line.run(self._drift)

    async def _drift(self) -> Drift:
        return await self._inThread(driftOf, self.path, self.loaded, self._running())

    def plan(
        self, source: str | Configuration | None = None, *, discard: bool = False
    ) -> Deferred[Plan]:
        """
        Compute the changes that L{reload} would make.

        @param source: another file, or its text; by default the file itself.
        @param discard: see there.
        @return: fires with the plan. It fails with L{ConfigurationError} if the file
            has an error, and with L{ConfigurationConflict} as L{reload} does.
        """
        return self._line.run(lambda: self._plan(source, discard))

    async def _plan(self, source: str | Configuration | None, discard: bool) -> Plan:
        new = await self._read(source)
        return (await self._ahead(new, discard)).plan

    def planOf(self, data: bytes) -> Deferred[Plan]:
        """
        Compute the changes that L{replace} would make.

        @param data: another content of the file.
        @return: fires and fails as L{plan} does.
        """
        return self._line.run(lambda: self._planOf(data))

    async def _planOf(self, data: bytes) -> Plan:
        return (await self._ahead(await self._parsed(data), False)).plan

    async def _parsed(self, data: bytes) -> Configuration:
        return await self._inThread(parseConfiguration, data, self.path, size=len(data))

    # Loading

    def replace(self, data: bytes, expected: bytes) -> Deferred[Plan]:
        """
        Replace the content of the file, and load it: completely or not at all. The old file is
        kept beside it.

        Live changes that are not in it stay, unless they conflict with it: then nothing is done.

        @param data: the content.
        @param expected: the content that the file must have now.
        @return: fires and fails as L{reload} does. It fails with L{ConfigurationError} also if
            the file has another content than expected, or can't be written.
        """
        return self._line.run(lambda: self._replaced(data, expected))

    async def _replaced(self, data: bytes, expected: bytes) -> Plan:
        try:
            return await self._replace(data, expected)
        except TxlbError as error:
            self._failed("not replaced, and nothing was changed", error)
            raise
        except CancelledError:
            raise ChangeStopped(
                f"the balancer was stopped while {self.path} was replaced"
            ) from None

    async def _replace(self, data: bytes, expected: bytes) -> Plan:
        slices, balancer = self._balancer.slices, self._balancer
        with slices.working():
            new = await self._parsed(data)
            before = self._running()
            ahead = await self._ahead(new, False)
            await balancer.applyInSlices(ahead.services)
            try:
                await slices.inThread(
                    partial(
                        writeFile,
                        self.path,
                        data,
                        expected=expected,
                        backups=self.settings.backups,
                    )
                )
            except TxlbError:
                await balancer.applyInSlices(before)
                raise
            self.loaded = ahead.loaded
            self.lastError = None
            for follower in self._followers:
                follower(self.loaded)
                await slices.rest()
            await slices.run(self._tell(ahead.plan))
        return ahead.plan

    def reload(self, *, discard: bool = False) -> Deferred[Plan]:
        """
        Load the file again. All of it is checked before anything is done, and it is
        applied completely or not at all. A large file is read in a thread, and large
        changes are made in slices; clients are served meanwhile.

        Live changes that are not in the file stay, unless they conflict with a change
        of the file: then nothing is done.

        @param discard: undo the live changes that are not in the file. Hosts that
            sources have found stay.
        @return: fires with the changes, and those that take a restart. It fails with
            L{ConfigurationError} if the file has an error; with
            L{ConfigurationConflict} if it conflicts with live changes; with
            L{txlb.errors.ListenError} if the balancer can't listen on an address; with
            L{ModelError} if live changes and those of the file break a rule together;
            with L{txlb.errors.ChangeUnderWay} if too many commands wait for the file
            already, or another change is under way; with L{TxlbError} if the balancer
            is stopped meanwhile.
        """
        return self._line.run(lambda: self._reloaded(discard))

    async def _reloaded(self, discard: bool) -> Plan:
        try:
            return await self._reload(discard)
        except ChangeStopped as error:
            self._failed("not loaded again as a whole", error)
            raise
        except TxlbError as error:
            self._failed("not loaded again, and nothing was changed", error)
            raise
        except CancelledError:
            raise ChangeStopped(
                f"the balancer was stopped while it loaded {self.path} again"
            ) from None
        except Exception as error:
            # The scheduler of a plugin may raise any exception.
            failure = TxlbError(f"{type(error).__name__}: {error}")
            self._failed("not loaded again, and nothing was changed", failure)
            raise failure from error

    async def _reload(self, discard: bool) -> Plan:
        slices = self._balancer.slices
        with slices.working(self._isSmall()):
            new = await self._read(None)
            ahead = await self._ahead(new, discard)
            await self._balancer.applyInSlices(ahead.services)
            self.loaded = ahead.loaded
            self.lastError = None
            if len(new.tostring()) > SMALL:
                # Another check for all hosts takes its time, as the last slice did.
                await slices.pause()
            for follower in self._followers:
                follower(self.loaded)
                await slices.rest()
            await slices.run(self._tell(ahead.plan))
        return ahead.plan

    def _isSmall(self) -> bool:
        """
        Return whether a reload is over in some milliseconds: the file and all that runs are
        small.
        """
        hosts = sum(len(group.hosts) for each in self._running() for group in each.groups)
        size = max(_sizeOf(self.path), len(self.loaded.tostring()))
        return size <= SMALL and hosts <= MOST_HOSTS

    def _tell(self, plan: Plan) -> Iterator[None]:
        """
        Log a reload, a line at each step.
        """
        for change in plan.changes:
            _log.info("{path}: {line}", path=self.path, line=str(change))
            yield
        _log.info(
            "{path} was loaded again, {count} changes", path=self.path, count=len(plan.changes)
        )
        unsaved = self.unsaved().changes
        yield
        for change in unsaved:
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
        Compute the effect of loading a configuration on the running services. If they
        change meanwhile it is computed again, at last without giving way to other
        changes.
        """
        for _ in range(MOST_TRIES):
            running = self._running()
            ahead = await self._inThread(lookAhead, self.loaded, running, new, discard)
            if self._runs(running):
                return ahead
        return lookAhead(self.loaded, self._running(), new, discard)

    def _runs(self, services: tuple[ProxyService, ...]) -> bool:
        """
        Test whether these very services run.
        """
        now = self._running()
        return len(now) == len(services) and all(map(operator.is_, services, now))

    def _running(self) -> tuple[ProxyService, ...]:
        return tuple(self._balancer.manager.services.values())

    async def _inThread(
        self, function: Callable[..., _Result], *arguments: Any, size: int | None = None
    ) -> _Result:
        """
        Call a pure function: in a thread, unless the file is so small that it takes
        little time.

        @param size: the size of the file in bytes; by default of the one that was
            loaded.
        """
        small = (len(self.loaded.tostring()) if size is None else size) <= SMALL
        # A file that names certificates takes as long as these do.
        if small and not any(tlsSettingsOf(self.loaded.services)):
            return function(*arguments)
        return await self._balancer.slices.inThread(function, *arguments)

    def handedChanges(self) -> Deferred[dict[str, object]]:
        """
        Find the live changes that are not in the file, for another process.

        @return: see L{handedChanges<txlb.application._handedchanges.handedChanges>}.
        """
        return self._line.run(lambda: self._inThread(handedChanges, self.loaded, self._running()))

    def stop(self) -> None:
        """
        Stop work on the file: work that is under way fails.
        """
        self._line.stop()

    # Saving

    def save(self, *, overwrite: bool = False) -> Deferred[str | None]:
        """
        Write live changes to the file: completely or not at all, with its comments and
        its order, its permissions and its owner. The old file is kept beside it, with
        the time appended to its name. A large file is written in a thread; clients are
        served meanwhile.

        @param overwrite: write also if the file has changed since it was loaded; these
            changes are lost then.
        @return: fires with the path of the old file; L{None} if nothing had to be
            saved, or if none is kept. It fails with L{ConfigurationConflict} if the
            file has changed; with L{ConfigurationError} if it can't be written, or
            can't express the services. Then it is unchanged.
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
        Do the same as L{save}, but log no error.
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

    def _failed(self, outcome: str, error: TxlbError) -> None:
        self.lastError = error
        _log.error(
            "{path}: {outcome}: {error}", path=self.path, outcome=outcome, error=forLog(error)
        )


def _sizeOf(path: str) -> int:
    """
    Return the size of a file in bytes; 0 if it can't be had, because reading the file gives
    the error.
    """
    try:
        return os.stat(path).st_size
    except OSError:
        return 0


def dropLogged(reason: Failure) -> None:
    """
    Drop a failure of a L{ConfigurationFile}: it is in the log, or the balancer was stopped
    before its turn came.
    """
    reason.trap(TxlbError, CancelledError)


def forLog(error: TxlbError) -> str:
    """
    Return an error as text for the log. Its readers may have the control socket, the
    manhole, or both, so it has a remedy for each of them.
    """
    if isinstance(error, ConfigurationConflict):
        return error.explained(lambda each: f"{each.shell}, or in the manhole {each.python}")
    return str(error)
