"""
Commands of administrators.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from txlb.admin._access import Caller
from txlb.admin._arguments import REQUIRED, Argument
from txlb.admin._rest import Rest

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred

    from txlb.admin._rows import Row
    from txlb.admin._target import Target


@dataclass(frozen=True, slots=True)
class AdminCommand:
    """
    One entry of the list of commands, L{txlb.admin.COMMANDS}.

    The entry is data. If it is done, its action is the function of the same name in
    L{txlb.admin._actions}, or else the manager's verb of that name.

    @ivar name: its name as a function of the manhole.
    @ivar words: its words on the command line, one or two; empty if another command of
        the line gives it.
    @ivar access: the access that it needs, one of L{txlb.admin._access.LEVELS}.
    @ivar doc: its description. The first sentence is its summary.
    @ivar patience: seconds that its answer may take.
    @ivar rest: its place in the tree of the REST interface, beside the POST of its words;
        L{None} for none.
    @ivar shared: whether all members of a cluster make the change, if the balancer is in one.
    """

    name: str
    words: str
    access: str
    doc: str
    arguments: tuple[Argument, ...] = ()
    patience: float = 30.0
    rest: Rest | None = None
    shared: bool = False

    @property
    def wireName(self) -> str:
        """
        Its name as an AMP command.
        """
        return self.name[0].upper() + self.name[1:]

    @property
    def summary(self) -> str:
        """
        The description in half a sentence that begins with a verb.
        """
        first = self.doc.split(". ", maxsplit=1)[0].removesuffix(".")
        return first[0].lower() + first[1:]

    @property
    def forPrompt(self) -> bool:
        """
        Whether the Python prompt has it. The prompt logs its lines, and so takes no secret.
        """
        return not any(each.kind.secret for each in self.arguments)

    def shown(self, texts: Mapping[str, str]) -> str:
        """
        Return arguments as a log shows them: without settings, which may be secrets. Events
        tell the changes of settings.
        """
        hidden = {each.name for each in self.arguments if each.kind.settingsOf or each.kind.secret}
        return " ".join(
            f"{name}=..." if name in hidden else f"{name}={text}" for name, text in texts.items()
        )

    def __call__(
        self, target: Target, caller: Caller, values: Mapping[str, object]
    ) -> Iterable[Row] | Deferred[Iterable[Row]]:
        """
        Run the command. Every door comes here, so access is checked here alone.

        @param caller: its access is checked; its name is in the events.
        @param values: a value for each argument.
        @return: rows, or a L{Deferred} of them. It fails as this raises.
        @raise AccessDenied: the caller has less access than this needs.
        @raise TxlbError: it can't be done, and nothing was.
        """
        caller.check(self.access, self.name)
        # It brings the model and the pool, which a client that reads the list does without.
        from txlb.admin._actions import ACTIONS  # noqa: PLC0415  (see above)

        action = ACTIONS.get(self.name)
        with target.balancer.manager.by(caller.name):
            cluster = getattr(target.balancer, "cluster", None)
            if self.shared and cluster is not None and cluster.settings is not None:
                changed: Deferred[Iterable[Row]] = cluster.change(
                    lambda: self._done(action, target, values)
                )
                return changed.addCallback(_rowsOf)
            return self._done(action, target, values)

    def _done(
        self, action: Callable[..., Any] | None, target: Target, values: Mapping[str, object]
    ) -> Iterable[Row] | Deferred[Iterable[Row]]:
        if action is None:
            return self._verb(target.balancer.manager, values)
        answer: Iterable[Row] | Deferred[Iterable[Row]] = action(target, **values)
        return answer

    def _verb(self, manager: Any, values: Mapping[str, object]) -> Iterable[Row]:
        """
        Call the manager's verb of this name. It gets required arguments by their places, and
        the others and settings by their names. It returns events.
        """
        from txlb.admin._rows import eventRows  # noqa: PLC0415  (see above)
        from txlb.admin._settings import readSettings  # noqa: PLC0415  (see above)

        places: list[object] = []
        named: dict[str, object] = {}
        for argument in self.arguments:
            value: Any = values[argument.name]
            if argument.kind.settingsOf:
                named.update(readSettings(argument.kind.settingsOf, value))
            elif argument.default is REQUIRED:
                places.append(value)
            else:
                named[argument.name] = value
        return eventRows(getattr(manager, self.name)(*places, **named))


def _rowsOf(answer: Any) -> Iterable[Row]:
    """
    Return rows of an answer, which may be the events of a change that members share.
    """
    from txlb.admin._rows import eventRows  # noqa: PLC0415  (see above)
    from txlb.pool import Event  # noqa: PLC0415  (see above)

    isEvents = isinstance(answer, tuple) and all(isinstance(each, Event) for each in answer)
    return eventRows(answer) if isEvents else answer
