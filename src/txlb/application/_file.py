"""
A running balancer and its configuration file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from twisted.logger import Logger

from txlb.application._drift import Drift
from txlb.config import (
    ConfigCheckSettings,
    Configuration,
    loadConfiguration,
    parseConfiguration,
    readFile,
    shownDifference,
    writeFile,
)
from txlb.errors import (
    ConfigurationConflict,
    ConfigurationError,
    ModelError,
    Remedy,
    TxlbError,
)
from txlb.model import Plan, ProxyService, changesBetween, mergeServices

if TYPE_CHECKING:
    from txlb.application.service import LoadBalancedService

#: Settings that contradict each other, of which a message tells.
MOST_CONFLICTS = 20

_log = Logger()

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
        return changesBetween(self.loaded.services, self._balancer.manager.services.values())

    def drift(self) -> Drift:
        """
        Compare the file as it is now, and what runs, with the file as it was loaded.

        @raise ConfigurationError: something is wrong with the file.
        """
        return Drift(self.loaded.planTo(self._read(None)), self.unsaved())

    def plan(self, source: str | Configuration | None = None, *, discard: bool = False) -> Plan:
        """
        What L{reload} would change.

        @param source: another file, or what it says; by default the file itself.
        @param discard: see there.
        @raise ConfigurationError: something is wrong with it.
        @raise ConfigurationConflict: see L{reload}.
        """
        new = self._read(source)
        services = self._merged(new, discard)
        found = self._balancer.manager.plan(services).changes
        beside = [each for each in self.loaded.planTo(new).changes if each.thing not in _SERVICES]
        return Plan((*found, *beside))

    # Loading

    def reload(self, *, discard: bool = False) -> Plan:
        """
        Load the file again. All of it is checked before anything is done, and
        what it says is applied as a whole or not at all.

        What was changed live and is not in the file stays, unless the file was
        changed in the same place: then nothing is done.

        @param discard: the file alone counts: live changes that are not in it
            are undone.
        @return: what has changed, and what takes a restart.
        @raise ConfigurationError: something is wrong with the file.
        @raise ConfigurationConflict: it contradicts what was changed live.
        @raise ListenError: an address can't be had.
        @raise ModelError: live changes and those of the file break a rule
            together.
        """
        try:
            return self._reload(discard)
        except TxlbError as error:
            self._failed("not loaded again, and nothing was changed", error)
            raise
        except Exception as error:
            # A policy from elsewhere may raise anything.
            failure = TxlbError(f"{type(error).__name__}: {error}")
            self._failed("not loaded again, and nothing was changed", failure)
            raise failure from error

    def _reload(self, discard: bool) -> Plan:
        new = self._read(None)
        plan = self.plan(new, discard=discard)
        self._balancer.apply(self._merged(new, discard))
        self.loaded = new
        self.lastError = None
        for follower in self._followers:
            follower(new)
        for line in plan.lines:
            _log.info("{path}: {line}", path=self.path, line=line)
        _log.info("{path} was loaded again, {count} changes", path=self.path, count=len(plan.lines))
        for line in self.unsaved().lines:
            _log.warn("{path}: changed live and not in the file: {line}", path=self.path, line=line)
        return plan

    def _read(self, source: str | Configuration | None) -> Configuration:
        if isinstance(source, Configuration):
            return source
        return loadConfiguration(self.path if source is None else source)

    def _merged(self, new: Configuration, discard: bool) -> tuple[ProxyService, ...]:
        if discard:
            return new.services
        mine = self._balancer.manager.services.values()
        try:
            merged = mergeServices(self.loaded.services, mine, new.services)
        except ModelError as error:
            lines = [f"what was changed live and {new.path} contradict each other: {error}"]
            raise ConfigurationConflict([*lines, _NOTHING_DONE], _DECIDE) from None
        if merged.conflicts:
            lines = [f"  {conflict}" for conflict in merged.conflicts[:MOST_CONFLICTS]]
            if len(merged.conflicts) > MOST_CONFLICTS:
                lines.append(f"  and {len(merged.conflicts) - MOST_CONFLICTS} more")
            raise ConfigurationConflict(
                [
                    f"what was changed live and {new.path} contradict each other:",
                    *lines,
                    _NOTHING_DONE,
                ],
                _DECIDE,
            )
        return merged.services

    # Saving

    def save(self, *, overwrite: bool = False) -> str | None:
        """
        Write what was changed live to the file: as a whole or not at all, with
        its comments and its order, its permissions and its owner. The old file
        is kept beside it, with the time behind its name.

        @param overwrite: also where somebody else has changed it since it was
            loaded; what they have changed is lost then.
        @return: the path of the old file; L{None} where nothing had to be saved,
            or where none is kept.
        @raise ConfigurationConflict: somebody else has changed it.
        @raise ConfigurationError: it can't be written, or can't say this. What
            was there is untouched.
        """
        try:
            return self.trySave(overwrite=overwrite)
        except TxlbError as error:
            self._failed("not saved", error)
            raise

    def trySave(self, *, overwrite: bool = False) -> str | None:
        """
        The same, without a line in the log where it fails.
        """
        services = tuple(self._balancer.manager.services.values())
        there = self._there()
        if there == self.loaded.tostring():
            new = self.loaded.edited(services)
        elif overwrite:
            new = self._base(there).edited(services)
        else:
            raise self._conflict(there, self.loaded.render(services))
        data = new.tostring()
        if data == there:
            return None
        settings = self.settings
        kept = writeFile(self.path, data, expected=there, backups=settings.backups)
        self.loaded = new
        self.lastError = None
        _log.info("{path} was saved", path=self.path)
        return kept

    def _there(self) -> bytes | None:
        """
        What is in the file now; L{None} where there is none.
        """
        try:
            return readFile(self.path)
        except ConfigurationError:
            # Who has removed it has changed it. Another trouble comes up again.
            return None

    def _base(self, there: bytes | None) -> Configuration:
        """
        What is edited: what is there, if that is a configuration.
        """
        try:
            return parseConfiguration(there or b"", self.path)
        except ConfigurationError:
            return self.loaded

    def _conflict(self, there: bytes | None, data: bytes) -> ConfigurationConflict:
        if there is None:
            return ConfigurationConflict(
                [f"{self.path} can't be read any more since it was loaded; nothing was saved"],
                [Remedy("write it anew", "save", "overwrite")],
            )
        return ConfigurationConflict(
            [
                f"{self.path} was changed by somebody else since it was loaded; nothing was saved",
                *shownDifference(there, data, "the file", "what would be saved"),
            ],
            [
                Remedy("take over what is in the file, and save after it", "reload"),
                Remedy("save over it", "save", "overwrite"),
            ],
        )

    def _failed(self, what: str, error: TxlbError) -> None:
        self.lastError = error
        _log.error("{path}: {what}: {error}", path=self.path, what=what, error=forLog(error))


_SERVICES = frozenset({"service", "listener", "group", "host"})

_NOTHING_DONE = "nothing was done"

_DECIDE = (
    Remedy("let the file count alone", "reload", "discard"),
    Remedy("let what was changed live count alone", "save", "overwrite"),
)


def forLog(error: TxlbError) -> str:
    """
    An error as text for the log. Its reader may have the control socket, the
    manhole, or both, so it names a remedy as each of them spells it.
    """
    if isinstance(error, ConfigurationConflict):
        return error.explained(lambda each: f"{each.shell}, or in the manhole {each.python}")
    return str(error)
