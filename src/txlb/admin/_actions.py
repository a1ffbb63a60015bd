"""
The actions of commands: functions that are called with a L{txlb.admin.Target} and with a
value for each argument, and return rows or a L{Deferred} of them.

A command that has no function here, of its own name, is done by the manager's verb of
that name.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from itertools import chain
from typing import TYPE_CHECKING, Any

from txlb.admin import _rows as rows
from txlb.admin._explained import explanationRows, namedRows
from txlb.admin._history import History
from txlb.admin._rows import Row
from txlb.admin._settings import checkOf, readSettings
from txlb.errors import ModelError, TxlbError
from txlb.model import CLONES

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred

    from txlb.admin._target import Target
    from txlb.admin.login import Logins
    from txlb.application._clones import Rolled
    from txlb.application._drift import Drift
    from txlb.deadlines import Deadlines
    from txlb.interfaces import IClones
    from txlb.model import Plan
    from txlb.pool import Event
    from txlb.upgrade import UpgradeCheck, Upgraded

#: Seconds that an answer to C{events} may be waited for at most.
MAX_WAIT = 60.0


def _status(target: Target, service: str) -> Iterable[Row] | Deferred[Iterable[Row]]:
    found = rows.statusRows(target.balancer, target.config, service)
    found = chain(found, rows.processRows(_processes(target, service)))
    look = getattr(target.config, "look", None)
    if look is None:
        return found
    looked: Deferred[object] = look()
    return looked.addCallback(lambda _: found)


def _processes(target: Target, service: str) -> Sequence[Mapping[str, object]]:
    if target.clones is None:
        found: Sequence[Mapping[str, object]] = target.balancer.clones.processes(service)
        return found
    return target.clones.processes() if service in {"", target.clones.service} else ()


def _health(target: Target, service: str, hosts: bool, leader: bool) -> Iterable[Row]:
    found = target.balancer.serving.whyNot(service, hosts=hosts, leader=leader)
    return rows.healthRows(found)


def _setHealth(target: Target, answer: str) -> Iterable[Row]:
    serving, isTakenOut = target.balancer.serving, answer == "fail"
    if serving.isTakenOut == isTakenOut:
        return []
    serving.isTakenOut = isTakenOut
    return rows.healthRows(serving.whyNot())


def _explain(
    target: Target, service: str, group: str, clientAddr: str, serverName: str
) -> Iterable[Row]:
    manager = target.balancer.manager
    if serverName:
        return namedRows(manager, service, group, clientAddr, serverName)
    return explanationRows(manager.getPool(service, group or None).explain(clientAddr or None))


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
    Answer when the next event has come, or after C{wait} seconds.
    """
    # The list of commands can be used without Twisted.
    from twisted.internet.defer import Deferred  # noqa: PLC0415  (see above)

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


def _history(target: Target, service: str, group: str, host: str, since: float) -> Iterable[Row]:
    if host and not group:
        raise ModelError("history of a host needs group: the name of its group")
    return rows.pointRows(target.balancer.history.points(service, group, host, since))


def _isClone(target: Target, service: str) -> bool:
    return target.clones is not None and service == target.clones.service


def _addHost(
    target: Target,
    service: str,
    group: str,
    host: str,
    address: str,
    weight: int,
    settings: Mapping[str, object],
) -> Iterable[Row]:
    manager = target.balancer.manager
    found = manager.getGroup(service, group)
    isOfGroup = target.clones is None and found.clones is not None and not address
    if isOfGroup or _isClone(target, service):
        if address or weight != 1 or settings:
            raise ModelError(
                "a clone has no address, and gets its weight and settings when it has joined"
            )
        if isOfGroup:
            count = target.balancer.clones.add(service, group, host)
        else:
            count = _clones(target).add(host)
        return [_wanted(f"{host} starts", count)]
    if not address:
        raise ModelError("addHost needs address: the host's address, host:port or unix:/path")
    given = readSettings("host", settings)
    return rows.eventRows(manager.addHost(service, group, host, address, weight=weight, **given))


def _wanted(text: str, count: int) -> Row:
    clones = "clone is" if count == 1 else "clones are"
    return {"row": "wanted", "text": f"{text}: {count} {clones} wanted now", "processes": count}


def _delHost(
    target: Target,
    service: str,
    group: str,
    host: str,
    address: str,
    force: bool,
    deadline: float | None,
) -> Iterable[Row]:
    if _isClone(target, service):
        target.balancer.manager.getGroup(service, group)
        if address:
            raise ModelError("a clone has no address")
        count = _clones(target).remove(host, deadline, force)
        return [_wanted(f"{host} gets nothing new, and ends", count)]
    found = target.balancer.manager.getGroup(service, group).hosts
    if any(each.name == host and each.origin == CLONES for each in found):
        count = target.balancer.clones.remove(service, group, host, deadline, force)
        return [_wanted(f"{host} gets nothing new, and ends", count)]
    verb = target.balancer.manager.delHost
    events = verb(service, group, host, address or None, deadline=deadline, force=force)
    return rows.eventRows(events)


def _plan(target: Target, file: str, discard: bool) -> Deferred[Iterable[Row]]:
    planned: Deferred[Plan]
    if file and target.balancer.configuration is None:
        planned = target.balancer.plan(file)
    else:
        planned = _file(target).plan(file or None, discard=discard)
    return planned.addCallback(lambda plan: rows.changeRows(plan.changes))


def _diff(target: Target) -> Deferred[Iterable[Row]]:
    drift: Deferred[Drift] = _file(target).drift()
    return drift.addCallback(rows.driftRows)


def _reload(target: Target, discard: bool) -> Deferred[Iterable[Row]]:
    config = _file(target)
    loaded: Deferred[Plan] = config.reload(discard=discard)

    def told(plan: Plan) -> Iterable[Row]:
        live = len(config.unsaved().changes)
        return itertools.chain(rows.changeRows(plan.changes), rows.liveRows(live))

    return loaded.addCallback(told)


def _save(target: Target, overwrite: bool) -> Iterable[Row] | Deferred[Iterable[Row]]:
    config = _file(target)
    if not config.unsaved():
        looked: Deferred[object] = config.look()
        return looked.addCallback(lambda edits: [_nothingToSave(config.path, bool(edits))])
    saved: Deferred[str | None] = config.save(overwrite=overwrite)

    def told(kept: str | None) -> Iterable[Row]:
        before = f"; what it was before is {kept}" if kept else ""
        text = f"{config.path} was saved{before}"
        return [{"row": "saved", "text": text, "path": config.path, "kept": kept}]

    return saved.addCallback(told)


def _nothingToSave(path: str, edited: bool) -> Row:
    if edited:
        text = (
            f"nothing to save: nothing was changed live. {path} was edited since it was read; "
            "reload takes that over"
        )
    else:
        text = f"nothing to save: {path} says it already"
    return {"row": "saved", "text": text}


def _clones(target: Target) -> IClones:
    if target.clones is None:
        raise TxlbError(
            "this is no cloned application, and no group has clones; "
            "txlb.cloning.CloningService makes one"
        )
    return target.clones


def _roll(target: Target) -> Deferred[Iterable[Row]]:
    if target.clones is None and target.balancer.clones.processes():
        replaced: Deferred[list[Rolled]] = target.balancer.clones.roll()
        return replaced.addCallback(lambda done: [_rolledRow(each) for each in done])
    rolled: Deferred[int] = _clones(target).roll()
    return rolled.addCallback(
        lambda generation: [
            {
                "row": "rolled",
                "text": f"all clones are replaced: generation {generation} serves",
                "generation": generation,
            }
        ]
    )


def _rolledRow(done: Rolled) -> Row:
    return {
        "row": "rolled",
        "text": f"all clones of {done.service}/{done.group} are replaced: generation "
        f"{done.generation} serves",
        "service": done.service,
        "group": done.group,
        "generation": done.generation,
    }


def _upgrade(target: Target, check: bool) -> Deferred[Iterable[Row]] | Iterable[Row]:
    if target.clones is None:
        if check:
            return _upgradeCheckRows(target.balancer.checkUpgrade())
        done: Deferred[Upgraded] = target.balancer.upgrade()
        return done.addCallback(_upgradedRows)
    clones = _clones(target)
    if check:
        text = "another process would manage; the clones and their connections go on"
        return [{"row": "moves", "text": text, "connections": 0}]
    upgraded: Deferred[int] = clones.upgrade()
    return upgraded.addCallback(
        lambda pid: [{"row": "manager", "text": f"process {pid} manages", "pid": pid}]
    )


def _discovery(target: Target) -> Iterable[Row]:
    return rows.discoveryRows(target.balancer.discovery.states(), target.balancer.manager.seconds())


def _clusterOf(target: Target) -> Any:
    cluster = target.balancer.cluster
    if cluster is None:
        raise TxlbError("this application is cloned, and is in no cluster of balancers")
    return cluster


def _cluster(target: Target) -> Iterable[Row]:
    # A page of the console asks each balancer, so it is no error to be in no cluster.
    try:
        state = _clusterOf(target).member.state
    except TxlbError as error:
        return [{"row": "none", "text": str(error)}]
    return rows.clusterRows(state)


def _stepDown(target: Target) -> Deferred[Iterable[Row]]:
    cluster = _clusterOf(target)
    name = cluster.member.member
    done: Deferred[None] = cluster.stepDown()
    return done.addCallback(lambda _: [{"row": "leader", "text": f"{name} does not lead any more"}])


def _leaveCluster(target: Target) -> Deferred[Iterable[Row]]:
    cluster = _clusterOf(target)
    text = f"{cluster.member.member} has left cluster {cluster.settings.name}"
    done: Deferred[None] = cluster.leave()
    return done.addCallback(lambda _: [{"row": "left", "text": text}])


def _joinCluster(target: Target) -> Iterable[Row]:
    cluster = _clusterOf(target)
    cluster.join()
    text = f"{cluster.member.member} joins cluster {cluster.settings.name}"
    return [{"row": "joined", "text": text}]


def _sharedValues(target: Target) -> Iterable[Row]:
    return rows.sharedRows(_clusterOf(target).shared())


def _forgetShared(
    target: Target, service: str, group: str, host: str, everything: bool
) -> Deferred[Iterable[Row]]:
    name = "/".join(each for each in (service, group, host) if each)
    if bool(name) is everything:
        raise ModelError(
            "say either what is taken back, a service, a group or a host, or that everything is"
        )
    done: Deferred[tuple[int, Iterable[Event]]] = _clusterOf(target).forget(service, group, host)
    return done.addCallback(lambda found: rows.forgottenRows(found[0], found[1], name))


def _acceptAnswer(target: Target, service: str, group: str) -> Iterable[Row]:
    where = f"{service}/{group}"
    if target.balancer.discovery.accept(service, group):
        text = f"the last answer of the source of {where} is used"
    else:
        text = f"no answer of the source of {where} is held back"
    return [{"row": "accepted", "text": text}]


def _upgradeCheckRows(found: UpgradeCheck) -> Iterable[Row]:
    for address in found.listeners:
        yield {"row": "listener", "text": f"{address} moves", "address": address}
    text = f"{found.moves} connections move"
    yield {"row": "moves", "text": text, "connections": found.moves}
    for reason, count in found.stays.items():
        text = f"{count} can't move, and have the grace time to end: {reason}"
        yield {"row": "stays", "text": text, "reason": reason, "connections": count}


def _upgradedRows(done: Upgraded) -> Iterable[Row]:
    text = f"process {done.pid} serves: {done.moved} connections have moved"
    if done.stays:
        left = ", ".join(f"{count} ({why})" for why, count in done.stays.items())
        text += f", and those that can't end in the process before it: {left}"
    return [{"row": "upgraded", "text": text, **asdict(done)}]


def _certificatesOf(target: Target) -> Any:
    certificates = target.balancer.certificates
    if certificates is None:
        raise TxlbError("this application is cloned, and has its certificates itself, if any")
    return certificates


def _certificates(target: Target) -> Iterable[Row]:
    return rows.certificateRows(_certificatesOf(target))


def _reloadCertificates(target: Target) -> Deferred[Iterable[Row]]:
    reloaded: Deferred[tuple[list[str], list[str]]] = _certificatesOf(target).reload()
    return reloaded.addCallback(lambda found: rows.reloadedRows(*found))


def _file(target: Target) -> Any:
    configuration = target.balancer.configuration
    if configuration is None:
        raise TxlbError("the balancer has no configuration file")
    return configuration


def _setCheck(
    target: Target,
    service: str,
    group: str,
    check: str,
    proxiedName: str,
    settings: Mapping[str, object],
) -> Iterable[Row]:
    made = checkOf(check, settings)
    return rows.eventRows(target.balancer.setCheck(service, group, made, proxiedName or None))


def _setDefaultCheck(target: Target, check: str, settings: Mapping[str, object]) -> Iterable[Row]:
    made = checkOf(check, settings)
    if made is not None:
        made = target.balancer.health.verified(made)
    return rows.eventRows(target.balancer.manager.setDefaultCheck(made))


def _setScheduler(
    target: Target, service: str, group: str, scheduler: str, settings: Mapping[str, object]
) -> Deferred[Iterable[Row]]:
    given = readSettings("scheduler", settings)
    done: Deferred[Iterable[Event]] = target.balancer.setScheduler(
        service, group, scheduler, **given
    )
    return done.addCallback(rows.eventRows)


def _setAdmission(target: Target, service: str, settings: Mapping[str, object]) -> Iterable[Row]:
    if _isClone(target, service):
        raise TxlbError(
            "the clones admit the clients that the application's file says: change it, upgrade the "
            "manager, and roll"
        )
    given = readSettings("admission", settings)
    return rows.eventRows(target.balancer.manager.setAdmission(service, **given))


def _switchGroup(target: Target, service: str, group: str) -> Iterable[Row]:
    if _isClone(target, service):
        raise TxlbError("each group of clones has a listener of its own, and serves its clients")
    manager = target.balancer.manager
    enabled = manager.getService(service).enabledGroup.name
    return rows.eventRows(manager.switchGroup(service, enabled, group))


def _switchPort(target: Target, listener: str, address: str) -> Iterable[Row]:
    addresses = target.balancer.switchPort(listener, address)
    text = f"{listener} listens on {', '.join(map(str, addresses))}"
    return [{"row": "listener", "text": text, "name": listener, "addresses": rows.plain(addresses)}]


def _logins(target: Target) -> Logins:
    if target.logins is None:
        raise TxlbError("no door of this balancer has logins")
    return target.logins


def _sessions(target: Target) -> Iterable[Row]:
    return (rows.sessionRow(each) for each in _logins(target).sessions)


def _endSession(target: Target, session: int) -> Iterable[Row]:
    ended = _logins(target).sessions.end(session)
    return [{"row": "ended", "text": f"{rows.sessionName(ended)} ends", "id": ended.id}]


def _loginTest(target: Target, user: str, password: str) -> Deferred[Iterable[Row]]:
    asked: Deferred[Iterable[Row]] = _logins(target).test(user, password)
    return asked


def _unlock(target: Target, user: str, address: str) -> Iterable[Row]:
    # The list of commands can be used without Twisted.
    from txlb.admin.login import sourceOfText  # noqa: PLC0415  (see above)

    source = sourceOfText(address) if address else ""
    count = _logins(target).tries.unlock(user.encode("utf-8"), source)
    pairs = "1 pair" if count == 1 else f"{count} pairs"
    text = f"wrong passwords of {pairs} of user and address are forgotten"
    return [{"row": "unlocked", "text": text, "pairs": count}]


#: The actions by the names of the commands.
ACTIONS: dict[str, Callable[..., Any]] = {
    "status": _status,
    "health": _health,
    "setHealth": _setHealth,
    "explain": _explain,
    "events": _events,
    "history": _history,
    "diff": _diff,
    "plan": _plan,
    "reload": _reload,
    "save": _save,
    "addHost": _addHost,
    "roll": _roll,
    "upgrade": _upgrade,
    "acceptAnswer": _acceptAnswer,
    "certificates": _certificates,
    "cluster": _cluster,
    "stepDown": _stepDown,
    "leaveCluster": _leaveCluster,
    "joinCluster": _joinCluster,
    "sharedValues": _sharedValues,
    "forgetShared": _forgetShared,
    "discovery": _discovery,
    "reloadCertificates": _reloadCertificates,
    "delHost": _delHost,
    "setCheck": _setCheck,
    "setDefaultCheck": _setDefaultCheck,
    "setScheduler": _setScheduler,
    "setAdmission": _setAdmission,
    "switchGroup": _switchGroup,
    "switchPort": _switchPort,
    "sessions": _sessions,
    "endSession": _endSession,
    "unlock": _unlock,
    "loginTest": _loginTest,
}
