"""
Everything that an administrator can ask for, in one list.

The functions of the manhole, the commands of the control socket and the words of
C{txlb} are made of it, so that what a command is told, what it does and who may give
it are said once.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

from txlb.admin import _rows as rows
from txlb.admin._arguments import FLAG, REQUIRED, SECONDS, TEXT, WHOLE, Argument
from txlb.admin._history import History
from txlb.admin._rows import Row
from txlb.errors import AccessDenied, TxlbError, UnknownName

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred

    from txlb.deadlines import Deadlines

#: What somebody may do: look, or everything.
READONLY = "readonly"
FULL = "full"

#: Seconds that an answer to C{events} may be waited for at most.
MAX_WAIT = 60.0


@dataclass(frozen=True, slots=True)
class Target:
    """
    What commands are about.

    @ivar balancer: the L{txlb.application.LoadBalancedService}.
    @ivar config: what it was made from, a L{txlb.config.Configuration}; L{None}
        where there is no file.
    @ivar history: its last events.
    @ivar deadlines: where those wait who ask for events to come; L{None} where
        nobody can.
    """

    balancer: Any
    config: Any
    history: History
    deadlines: Deadlines | None = None


@dataclass(frozen=True, slots=True)
class AdminCommand:
    """
    One thing that can be asked for.

    @ivar access: what somebody needs who asks for it, C{readonly} or C{full}.
    @ivar doc: what it does, in full.
    @ivar run: does it. It is called with the target and with a value for each
        argument, and returns rows or a L{Deferred} of them.
    """

    name: str
    access: str
    doc: str
    arguments: tuple[Argument, ...]
    run: Callable[..., Iterable[Row] | Deferred[Iterable[Row]]]

    @property
    def wireName(self) -> str:
        """
        Its name as an AMP command.
        """
        return self.name[0].upper() + self.name[1:]

    def __call__(
        self, target: Target, access: str, by: str, values: Mapping[str, object]
    ) -> Iterable[Row] | Deferred[Iterable[Row]]:
        """
        Do it.

        @param access: what the one who asks may do.
        @param by: who asks, for events and logs.
        @param values: a value for each argument.
        @raise AccessDenied: it is not for them.
        @raise TxlbError: it can't be done, and nothing was.
        """
        if self.access == FULL and access != FULL:
            raise AccessDenied(f"{self.name} needs full access; yours is {access}")
        with target.balancer.manager.by(by):
            return self.run(target, **values)


_SERVICE = Argument("service", TEXT, "the name of a service")
_GROUP = Argument("group", TEXT, "the name of one of its groups")
_HOST = Argument("host", TEXT, "the name of one of its hosts")
_PATH = (_SERVICE, _GROUP, _HOST)
_DEADLINE = Argument(
    "deadline",
    SECONDS,
    "the time after which the connections that are left are reset, at most a day; by default never",
    None,
)
_DISCARD = Argument("discard", FLAG, "undo what was changed live and is not in the file", False)


def _status(target: Target) -> Iterable[Row]:
    return rows.statusRows(target.balancer, target.config)


def _events(target: Target, after: int, wait: float) -> Iterable[Row] | Deferred[Iterable[Row]]:
    history = target.history
    first = max(history.last + after, 0) if after < 0 else after

    def answer() -> Iterable[Row]:
        found = rows.numberedRows(history.since(first))
        return chain(found, ({"row": "last", "number": history.last},))

    if wait and target.deadlines is not None and history.last <= first:
        return _whenThereIsOne(history, target.deadlines, min(wait, MAX_WAIT), answer)
    return answer()


def _whenThereIsOne(
    history: History, deadlines: Deadlines, wait: float, answer: Callable[[], Iterable[Row]]
) -> Deferred[Iterable[Row]]:
    """
    Answer when the next event has come, or after a while.
    """
    # Those who only read the list do without Twisted.
    from twisted.internet.defer import Deferred  # noqa: PLC0415

    waiting: Deferred[Iterable[Row]] = Deferred(lambda _: stop())

    def stop() -> None:
        cancel()
        deadline.cancel()

    def tell() -> None:
        stop()
        waiting.callback(answer())

    cancel = history.tellNext(tell)
    deadline = deadlines.after(wait, tell)
    return waiting


def _setWeight(target: Target, service: str, group: str, host: str, weight: int) -> Iterable[Row]:
    return rows.eventRows(target.balancer.manager.setWeight(service, group, host, weight))


def _addHost(
    target: Target, service: str, group: str, host: str, address: str, weight: int
) -> Iterable[Row]:
    return rows.eventRows(target.balancer.manager.addHost(service, group, host, address, weight))


def _delHost(
    target: Target, service: str, group: str, host: str, address: str, force: bool
) -> Iterable[Row]:
    manager = target.balancer.manager
    return rows.eventRows(manager.delHost(service, group, host, address or None, force=force))


def _drain(
    target: Target, service: str, group: str, host: str, deadline: float | None
) -> Iterable[Row]:
    return rows.eventRows(target.balancer.manager.drain(service, group, host, deadline))


def _maintenance(
    target: Target, service: str, group: str, host: str, deadline: float | None
) -> Iterable[Row]:
    return rows.eventRows(target.balancer.manager.maintenance(service, group, host, deadline))


def _ready(target: Target, service: str, group: str, host: str) -> Iterable[Row]:
    return rows.eventRows(target.balancer.manager.ready(service, group, host))


def _plan(target: Target, file: str, discard: bool) -> Iterable[Row]:
    if file and target.balancer.configuration is None:
        return rows.changeRows(target.balancer.plan(file).changes)
    return rows.changeRows(_file(target).plan(file or None, discard=discard).changes)


def _diff(target: Target) -> Iterable[Row]:
    return rows.driftRows(_file(target).drift())


def _reload(target: Target, discard: bool) -> Iterable[Row]:
    config = _file(target)
    changes = config.reload(discard=discard).changes
    return itertools.chain(rows.changeRows(changes), rows.liveRows(len(config.unsaved().changes)))


def _save(target: Target, overwrite: bool) -> Iterable[Row]:
    config = _file(target)
    if not config.unsaved():
        return [{"row": "saved", "text": f"nothing to save: {config.path} says it already"}]
    kept = config.save(overwrite=overwrite)
    before = f"; what it was before is {kept}" if kept else ""
    text = f"{config.path} was saved{before}"
    return [{"row": "saved", "text": text, "path": config.path, "kept": kept}]


def _file(target: Target) -> Any:
    configuration = target.balancer.configuration
    if configuration is None:
        raise TxlbError("the balancer has no configuration file")
    return configuration


def _switchGroup(target: Target, service: str, group: str) -> Iterable[Row]:
    manager = target.balancer.manager
    enabled = manager.getService(service).enabledGroup.name
    return rows.eventRows(manager.switchGroup(service, enabled, group))


def _switchPort(target: Target, listener: str, address: str) -> Iterable[Row]:
    addresses = target.balancer.switchPort(listener, address)
    text = f"{listener} listens on {', '.join(map(str, addresses))}"
    return [{"row": "listener", "text": text, "name": listener, "addresses": rows.plain(addresses)}]


def _setScheduler(target: Target, service: str, group: str, scheduler: str) -> Iterable[Row]:
    return rows.eventRows(target.balancer.manager.setScheduler(service, group, scheduler))


#: All of them, in the order of the reference. C{GetClientAddress} of the control
#: socket is beside it: it is asked by hosts, not by administrators, and has the
#: shape that 1.1.0 gave it.
COMMANDS = (
    AdminCommand(
        "status",
        READONLY,
        "Tell how things stand: listeners, services, groups, hosts, and what differs from the "
        "file.",
        (),
        _status,
    ),
    AdminCommand(
        "events",
        READONLY,
        "Tell what has changed: the last events, of which the balancer keeps 1000.",
        (
            Argument(
                "after",
                WHOLE,
                "the number of an event, after which to begin; below zero, how many of the last",
                -100,
            ),
            Argument(
                "wait",
                SECONDS,
                "how long to wait for one where there is none yet, at most 60 seconds",
                0.0,
            ),
        ),
        _events,
    ),
    AdminCommand(
        "diff",
        FULL,
        "Tell how the balancer and its file have gone apart since the file was loaded: what was "
        "changed in the file, which a reload takes up, and what was changed live, which is not in "
        "the file until it is saved.",
        (),
        _diff,
    ),
    AdminCommand(
        "plan",
        FULL,
        "Tell what a reload would change: of the balancer's own file, or of another one in its "
        "place.",
        (
            Argument(
                "file", TEXT, "the absolute path of another file; empty for the balancer's own", ""
            ),
            _DISCARD,
        ),
        _plan,
    ),
    AdminCommand(
        "reload",
        FULL,
        "Load the configuration file again, as a whole or not at all. What was changed live and is "
        "not in the file stays.",
        (_DISCARD,),
        _reload,
    ),
    AdminCommand(
        "save",
        FULL,
        "Write what was changed live to the configuration file.",
        (
            Argument(
                "overwrite",
                FLAG,
                "also where somebody else has changed the file; what they have changed is lost",
                False,
            ),
        ),
        _save,
    ),
    AdminCommand(
        "drain",
        FULL,
        "Let a host get nothing new. The connections that it has go on.",
        (*_PATH, _DEADLINE),
        _drain,
    ),
    AdminCommand(
        "maintenance",
        FULL,
        "Drain a host, and check it no more.",
        (*_PATH, _DEADLINE),
        _maintenance,
    ),
    AdminCommand(
        "ready",
        FULL,
        "Bring a host back that was drained or in maintenance.",
        _PATH,
        _ready,
    ),
    AdminCommand(
        "setWeight",
        FULL,
        "Give a host another weight. With 0 it gets nothing new.",
        (*_PATH, Argument("weight", WHOLE, "the weight, 0 to 65535")),
        _setWeight,
    ),
    AdminCommand(
        "addHost",
        FULL,
        "Add a host to a group.",
        (
            _SERVICE,
            _GROUP,
            Argument("host", TEXT, "the name of the new host"),
            Argument("address", TEXT, "where it is reached, host:port or unix:/path"),
            Argument("weight", WHOLE, "its weight, 0 to 65535", 1),
        ),
        _addHost,
    ),
    AdminCommand(
        "delHost",
        FULL,
        "Remove a host from a group. Its connections go on.",
        (
            *_PATH,
            Argument(
                "address",
                TEXT,
                "where given, its address, so that the wrong one is not removed",
                "",
            ),
            Argument("force", FLAG, "reset the connections that it has", False),
        ),
        _delHost,
    ),
    AdminCommand(
        "switchGroup",
        FULL,
        "Send a service's new connections to another of its groups.",
        (_SERVICE, Argument("group", TEXT, "the name of the group that gets them")),
        _switchGroup,
    ),
    AdminCommand(
        "switchPort",
        FULL,
        "Let a listener listen elsewhere.",
        (
            Argument("listener", TEXT, "the name of the listener"),
            Argument("address", TEXT, "a port of the same interface, or an address"),
        ),
        _switchPort,
    ),
    AdminCommand(
        "setScheduler",
        FULL,
        "Let a group choose its hosts by another policy.",
        (_SERVICE, _GROUP, Argument("scheduler", TEXT, "the word for the policy")),
        _setScheduler,
    ),
)

_BY_NAME = {name: command for command in COMMANDS for name in (command.name, command.wireName)}

__all__ = [
    "COMMANDS",
    "FULL",
    "MAX_WAIT",
    "READONLY",
    "REQUIRED",
    "AdminCommand",
    "Argument",
    "Row",
    "Target",
    "findCommand",
]


def findCommand(name: str) -> AdminCommand:
    """
    The command of a name, as in the list or as in AMP.

    @raise UnknownName: there is none.
    """
    try:
        return _BY_NAME[name]
    except KeyError:
        raise UnknownName("command", name, (each.name for each in COMMANDS)) from None
