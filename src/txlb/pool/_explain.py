"""
The reasons for the choice of a client's host, as plain data.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from txlb.interfaces import IExplainedScheduler, IScheduler
from txlb.model import plainHost
from txlb.schedulers import Key

if TYPE_CHECKING:
    from txlb.pool._host import Host

#: The meaning of a host's state for a client, by its word.
_WHY = {
    "leaving": "it was removed, and its last connections end",
    "unresolved": "its name has no address",
    "maintenance": "it is in maintenance",
    "starting": "its first check has not passed yet",
    "going-down": "its checks begin to fail",
    "down": "it is down",
    "coming-up": "its checks have not passed often enough",
    "trial": "one client tries it, and the others wait for how that ends",
    "standby": "it is a backup, and is not needed",
}


@dataclass(frozen=True, slots=True)
class HostExplanation:
    """
    One host from the view of a client.

    @ivar name: its name in its group.
    @ivar state: one word, see L{txlb.pool.Host.stateWord}.
    @ivar weight: the configured weight.
    @ivar effectiveWeight: the weight that policies use.
    @ivar active: connections that are open or being opened.
    @ivar score: the policy's score, higher is better; L{None} if the host may not be
        chosen.
    @ivar chosen: whether the client would get it; false for all hosts if the policy
        chooses at random.
    @ivar why: the reason why it is not chosen; empty if it may be.
    """

    name: str
    state: str
    weight: int
    effectiveWeight: float
    active: int
    score: float | None
    chosen: bool
    why: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """
    A group's choice for a client now.

    @ivar scheduler: the word of the policy.
    @ivar scoreMeans: the meaning of its scores.
    @ivar predictable: whether the policy uses no chance.
    @ivar client: the client.
    @ivar hosts: those that may be chosen, the best first, then the others in the order
        of the configuration.
    """

    service: str
    group: str
    scheduler: str
    scoreMeans: str
    predictable: bool
    client: str
    hosts: tuple[HostExplanation, ...]

    @property
    def chosen(self) -> HostExplanation | None:
        """
        The host that the client would get; L{None} if chance decides, or if there is
        none.
        """
        return next((host for host in self.hosts if host.chosen), None)

    def asDict(self) -> dict[str, object]:
        """
        Return the same as values that any format can hold.
        """
        return asdict(self)


class Explainer:
    """
    The maker of an explanation of a policy and its hosts. It changes nothing.

    @param policy: the policy that is asked.
    @param held: the hosts that it holds.
    @param excluded: keys of hosts that must not be chosen.
    """

    def __init__(
        self, policy: IScheduler, held: Mapping[Key, Host], excluded: frozenset[Key]
    ) -> None:
        self._policy = policy
        self._held = held
        self._excluded = excluded
        told: IExplainedScheduler | None = IExplainedScheduler(policy, None)
        self.means = "" if told is None else told.scoreMeans
        self.predictable = told is not None and told.predictable

    def explain(
        self, service: str, group: str, hosts: list[Host], clientAddr: object
    ) -> Explanation:
        """
        Explain the choice.

        @param hosts: all of the group, in the order of the configuration.
        """
        if isinstance(clientAddr, (tuple, list)) and clientAddr:
            clientAddr = clientAddr[0]
        if isinstance(clientAddr, str):
            # As for a client that connects.
            clientAddr = plainHost(clientAddr)
        scores = self._policy.explain(clientAddr)
        best = next((key for key in scores if key not in self._excluded), None)
        rank = {key: number for number, key in enumerate(scores)}
        ordered = sorted(hosts, key=lambda host: rank.get(host.key, len(rank)))
        return Explanation(
            service,
            group,
            self._policy.name,
            self.means,
            self.predictable,
            "" if clientAddr is None else str(clientAddr),
            tuple(self._host(host, scores, best) for host in ordered),
        )

    def _host(self, host: Host, scores: Mapping[Key, float], best: Key | None) -> HostExplanation:
        held = self._held.get(host.key) is host
        score = scores.get(host.key) if held else None
        chosen = held and self.predictable and host.key == best
        return HostExplanation(
            host.name,
            host.stateWord,
            host.weight,
            host.effectiveWeight,
            host.active,
            score,
            chosen,
            "" if chosen else self._why(host, score, scores, best),
        )

    def _why(
        self, host: Host, score: float | None, scores: Mapping[Key, float], best: Key | None
    ) -> str:
        if score is None:
            return whyOut(host)
        if host.key in self._excluded:
            return "it is excluded: it was tried for this client"
        if not self.predictable or best is None:
            return ""
        if scores[best] == score:
            return f"{best[2]} scores the same and comes first"
        return f"it scores less than {best[2]}"


def whyOut(host: Host) -> str:
    """
    Return the reason why a host may not be chosen.
    """
    word = host.stateWord
    if word == "drain":
        return "its weight is 0" if host.weight == 0 else "it is drained"
    if word == "full" and not host.hasLeft:
        return "it says that it has nothing left"
    if word == "full":
        if host.maxConnections is not None and host.active >= host.maxConnections:
            return f"it is full: {host.active} of {host.maxConnections} connections"
        return "it is full: too many connections to it are being opened"
    why = _WHY.get(word, f"its state is {word}")
    return f"{why}: {host.reason}" if host.reason and not host.healthy else why
