"""
Making the policy of a pool, and replacing a policy that raises.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from random import Random

from txlb.errors import ModelError
from txlb.interfaces import IHost, IScheduler
from txlb.model import ProxyGroup, shown
from txlb.pool._announcer import Announcer
from txlb.pool._events import EventKind
from txlb.schedulers import roundr, schedulerFactory, schedulerKind, schedulerWords

#: A policy that raises this often within L{WINDOW} seconds is made no more. Making
#: one costs time in proportion to the hosts, so that the number has to be small.
MOST_FAULTS = 3
WINDOW = 60.0


class PolicyMaker:
    """
    Makes the policies of one pool. Owned by the pool.

    A policy may come from a plugin, and may raise. Then the pool makes it anew
    from the hosts that it holds. If that raises as well, or if the policy raised
    L{MOST_FAULTS} times within L{WINDOW} seconds, C{roundr} stands in for it until
    another policy is set.

    @param settings: returns the settings of the group.
    @param seconds: a monotonic clock.

    @ivar replaced: the name of the policy that C{roundr} stands in for; empty if
        the policy in use is the one that is configured.
    """

    def __init__(
        self,
        settings: Callable[[], ProxyGroup],
        seconds: Callable[[], float],
        random: Random,
        announcer: Announcer,
    ) -> None:
        self._settings = settings
        self._seconds = seconds
        self._random = random
        self._announcer = announcer
        self._word: str | None = None
        self._prepared: tuple[str, Mapping[str, float], IScheduler] | None = None
        self._faults: deque[float] = deque(maxlen=MOST_FAULTS)
        self.replaced = ""

    def make(self, scheduler: str | IScheduler) -> IScheduler:
        """
        Make a policy of its word, with the settings of the group that it wants.

        @param scheduler: the word, or a policy, which is returned as it is.
        @raise ModelError: it is neither.
        @raise UnknownName: there is no policy of this word.
        """
        if isinstance(scheduler, str):
            return self._made(scheduler)
        if not hasattr(scheduler, "nextHost"):
            raise ModelError(
                f"the scheduler is {shown(scheduler)}; it is a word, such as 'leastc', or an "
                "IScheduler"
            )
        return scheduler

    def chose(self, scheduler: str | IScheduler) -> None:
        """
        Record which policy is used from now on, by its word if it has one.
        """
        self._word = scheduler if isinstance(scheduler, str) else None
        self._faults.clear()
        self.replaced = ""

    @property
    def wasMade(self) -> bool:
        """
        Whether the policy in use was made here, of its word, so that nothing else has it.
        """
        return self._word is not None

    def prepare(self, group: ProxyGroup) -> IScheduler | None:
        """
        Make the policy that a group wants, for L{makeSafely}.

        @return: the policy; L{None} if it was made already.
        @raise Exception: its factory raises.
        """
        word, settings = group.scheduler, group.schedulerSettings
        if self._prepared is not None and self._prepared[:2] == (word, settings):
            return None
        made = makePolicy(word, group, self._seconds, self._random)
        self._prepared = word, settings, made
        return made

    def forgetPrepared(self) -> None:
        """
        Drop the policy that L{prepare} has made, if it is not used yet.
        """
        self._prepared = None

    def makeSafely(self, word: str) -> IScheduler:
        """
        Make the policy that is used from now on, of its word, or take the one that was
        prepared. If its factory raises, C{roundr} stands in.
        """
        self.chose(word)
        prepared, self._prepared = self._prepared, None
        if prepared is not None and prepared[:2] == (word, self._settings().schedulerSettings):
            return prepared[2]
        try:
            return self._made(word)
        except Exception as error:  # noqa: BLE001 - a plugin's factory may raise anything
            return self._standIn(word, (), error)

    def uses(self, before: Mapping[str, float], after: Mapping[str, float]) -> bool:
        """
        Return whether the policy in use was made of its word and wants a setting
        that differs.
        """
        if self._word is None or self._word not in schedulerWords():
            return False
        wants = schedulerKind(self._word).wants
        return any(before[name] != after[name] for name in wants if name in before)

    def replace(self, failed: IScheduler, hosts: Iterable[IHost], error: Exception) -> IScheduler:
        """
        Make a policy in place of one that raised.

        @param hosts: the hosts that it holds from the beginning.
        @param error: what the old one raised.
        """
        name, now, held = failed.name, self._seconds(), tuple(hosts)
        self._faults.append(now)
        often = len(self._faults) == MOST_FAULTS and now - self._faults[0] <= WINDOW
        if self._word is None or often:
            return self._standIn(name, held, error)
        try:
            policy = _holding(self._made(self._word), held)
        except Exception as second:  # noqa: BLE001 - a plugin may raise anything
            return self._standIn(name, held, second)
        message = f"scheduler {name} raised {error!r}; it is made anew"
        self._announcer.ofGroup(EventKind.SCHEDULER_FAILED, message, now, {"scheduler": name})
        return policy

    def _standIn(self, name: str, hosts: Iterable[IHost], error: Exception) -> IScheduler:
        self.replaced = name
        self._word = roundr
        message = (
            f"scheduler {name} raised {error!r}; {roundr} stands in for it until a scheduler is set"
        )
        details = {"scheduler": name, "standIn": str(roundr)}
        self._announcer.ofGroup(EventKind.SCHEDULER_FAILED, message, self._seconds(), details)
        return _holding(self._made(roundr), hosts)

    def _made(self, word: str) -> IScheduler:
        return makePolicy(word, self._settings(), self._seconds, self._random)


def makePolicy(
    word: str, group: ProxyGroup, seconds: Callable[[], float], random: Random | None = None
) -> IScheduler:
    """
    Make a policy of its word, with the settings of a group that it wants.
    """
    known = {**group.schedulerSettings, "seconds": seconds}
    return schedulerFactory(word, random=random, settings=known)


def checkPolicy(serviceName: str, group: ProxyGroup, seconds: Callable[[], float]) -> None:
    """
    Make the policy of a group for trial. Nothing is changed.

    @raise ModelError: that raises.
    """
    try:
        makePolicy(group.scheduler, group, seconds)
    except Exception as error:
        raise cannotUse(serviceName, group, error) from error


def cannotUse(serviceName: str, group: ProxyGroup, error: Exception) -> ModelError:
    """
    Return the error for a policy that raises as it is made or given the hosts.
    """
    return ModelError(
        f"scheduler {group.scheduler!r} can't be used for group {group.name!r} of service "
        f"{serviceName!r}: it raises {error!r}"
    )


def _holding(policy: IScheduler, hosts: Iterable[IHost]) -> IScheduler:
    for host in hosts:
        policy.hostAdded(host)
    return policy
