"""
C{twistd txlb}: a balancer from a configuration file, or the demo.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable
from typing import Any, NoReturn

from twisted.application.service import IService
from twisted.python.usage import Options as BaseOptions
from twisted.python.usage import UsageError

from txlb import __version__
from txlb.admin import Logins, controlService, manholeService
from txlb.admin import stateDirectory as findStateDirectory
from txlb.application import (
    ConfigurationFile,
    Daemon,
    FileKeeper,
    LoadBalancedService,
    LogFileService,
    Supervisor,
    Upgrading,
    publisherOf,
    withChanges,
)
from txlb.cli._check import checkFile
from txlb.cloning import balancedClone
from txlb.config import Configuration, ManagerSettings, loadConfiguration
from txlb.errors import CertificateError, ListenError, TxlbError
from txlb.manager import proxyManagerFactory
from txlb.model import UNIXAddress
from txlb.process import Owner, TwistdFiles, errorLine
from txlb.proxy import inheritedSockets, inheritFrom
from txlb.upgrade import Successor

__all__ = ["Options", "makeService"]


class Options(BaseOptions):
    """
    The options of C{twistd txlb}.
    """

    synopsis = "(-c FILE | --demo [--clones]) [options]"
    longdesc = (
        "Balance TCP connections over hosts. To stay in the foreground, use twistd -n txlb. "
        "SIGTERM or SIGINT stops gracefully, a second one at once; SIGHUP loads the file again, "
        "SIGUSR1 opens the log file anew. With --check, check the configuration file and exit, as "
        "txlb check does."
    )
    optParameters = (
        ("config", "c", None, "The configuration file."),
        (
            "state-directory",
            "s",
            None,
            (
                "The folder of the ssh host key. By default $STATE_DIRECTORY, /var/lib/txlb for "
                "root, or txlb in $XDG_STATE_HOME or ~/.local/state."
            ),
        ),
        (
            "clone",
            None,
            None,
            (
                "Serve an application as a clone. Only a balancer gives this option, to the "
                "processes that it starts."
            ),
        ),
    )
    optFlags = (
        ("demo", None, "Balance three small built-in web hosts, to try txlb out."),
        ("clones", None, "With --demo: run a small web site in four processes instead."),
        ("check", None, "Check the configuration file, and exit with status 0 or 1."),
    )
    compData = None

    def opt_version(self) -> NoReturn:
        """
        Show the version of txlb and exit.
        """
        sys.stdout.write(f"txlb {__version__}\n")
        raise SystemExit(0)

    def parseArgs(self, *words: str) -> None:
        """
        Refuse arguments: there are only options.
        """
        if words:
            raise UsageError(f"{words[0]!r} is no option; a configuration file follows -c")

    def postOptions(self) -> None:
        """
        Check that the options agree.
        """
        if self["clone"]:
            return
        if self["demo"] and self["config"]:
            raise UsageError("--demo has a configuration of its own; leave out -c")
        if self["clones"] and not self["demo"]:
            raise UsageError("--clones is for the demo; give --demo too")
        if not (self["demo"] or self["config"]):
            raise UsageError("say what to balance: -c FILE, or --demo to try it out")
        if self["check"]:
            if not self["config"]:
                raise UsageError("--check is for a configuration file, which follows -c")
            raise SystemExit(checkFile(self["config"]))


def makeService(options: Options) -> IService:
    """
    Make the service that the options ask for. It listens on all addresses here, so that
    errors are printed on the terminal, before twistd goes to the background.

    The files that twistd's own options name are opened here too, see
    L{txlb.process.TwistdFiles}.

    @raise SystemExit: the service can't be made; the reason was written to stderr, or
        to the log if stderr is closed.
    """
    # twistd calls this, unless there is no parent.
    if options["clone"]:
        return _clone(options["clone"])
    files = TwistdFiles(getattr(options, "parent", None))
    successor = None
    try:
        successor = Successor.fromEnvironment(os.environ)
        files.open()
        service = _demo(options) if options["demo"] else _fromFile(options, files, successor)
    except TxlbError as error:
        files.refuse(str(error))
        if successor is not None:
            successor.decline(str(error))
        raise SystemExit(1) from None
    return files.serve(service)


def _demo(options: Options) -> IService:
    # Its hosts are web servers, which a balancer from a file does without.
    from txlb.demo import ClonesDemo, Demo  # noqa: PLC0415  (see above)

    folder = options["state-directory"]
    return ClonesDemo(folder) if options["clones"] else Demo(stateDirectory=folder)


def _clone(path: str) -> IService:
    """
    Make the service of a clone, whose balancer reads what is written to stderr.
    """
    try:
        return balancedClone(path)
    except TxlbError as error:
        raise SystemExit(f"txlb: {path}: {error}") from None
    except Exception as error:  # noqa: BLE001 - the application's file wrote it
        told = errorLine(error)
        raise SystemExit(f"txlb: {told if path in told else f'{path}: {told}'}") from None


def _fromFile(options: Options, files: TwistdFiles, successor: Successor | None) -> IService:
    if successor is not None:
        inheritFrom(successor.inherited)
    config = loadConfiguration(options["config"])
    for note in config.notes:
        files.say(str(note))
    services = config.services
    if successor is not None:
        services = withChanges(config, successor.changes)
    manager = proxyManagerFactory(services)
    manager.setDefaultCheck(config.manager.check)
    balancer = LoadBalancedService(
        manager,
        graceTime=config.manager.graceTime,
        maxChecks=config.manager.maxChecks,
        cluster=config.cluster,
    )
    if any(group.discover for service in config.services for group in service.groups):
        balancer.discovery.stateDirectory = findStateDirectory(options["state-directory"])
    try:
        daemon = _daemon(config, balancer, options["state-directory"], files, successor)
    except TxlbError:
        # Close the sockets that are open by now.
        balancer.stopService()
        raise
    for name in inheritedSockets().unused:
        files.say(
            f"{config.path}: note: nothing listens on systemd's socket {name!r}; its clients "
            "wait for ever"
        )
    return daemon


def _configure(balancer: LoadBalancedService, settings: ManagerSettings) -> None:
    """
    Apply the C{manager} element of a file that was loaded again.
    """
    balancer.graceTime = settings.graceTime
    balancer.maxChecks = settings.maxChecks
    balancer.manager.setDefaultCheck(settings.check)


def _daemon(
    config: Configuration,
    balancer: LoadBalancedService,
    stateDirectory: str | None,
    files: TwistdFiles,
    successor: Successor | None,
) -> Daemon:
    owner = files.owner
    if successor is not None:
        balancer.socketsTaken = successor.socketsAt
    # This imports the reactor, which the later user of the process may not be able to
    # read.
    balancer.prepare()
    for name in balancer.getProxyNames():
        listener = balancer.getProxyService(name)
        try:
            _bind(listener.bind, listener.configuredAddress, owner)
        except ListenError as error:
            raise _at(config, config.lineOf(listener.serviceName, listener.index), error) from error
    file = ConfigurationFile(balancer, config)
    file.follow(lambda new: _configure(balancer, new.manager))
    FileKeeper(file, balancer.manager).setServiceParent(balancer)
    logs = _logs(config, balancer, files)
    if config.events is not None:
        # The broker gets what happens until the end.
        logs.append(publisherOf(config.events, balancer))
    doors: list[IService] = []
    # The files of secrets are read before root's rights are given up.
    admin = config.admin
    logins = balancer.logins = Logins(admin.users, admin.sources, usersAt=admin.usersAt)
    file.follow(lambda new: logins.configure(new.admin.users, new.admin.sources, new.admin.usersAt))
    ssh = config.admin.ssh
    if ssh is not None and ssh.enable:
        # This import picks up the reactor, which is chosen by now. After root's rights
        # or the rest of the file system are given up, it might not be readable.
        importlib.import_module("txlb.admin._running")
        manhole = manholeService(
            balancer,
            ssh.listen,
            stateDirectory=stateDirectory,
            config=file,
            logins=logins,
        )
        try:
            _bind(manhole.bind, ssh.listen, owner)
        except ListenError as error:
            raise _at(config, config.sshLine, error) from error
        manhole.loadHostKey()
        doors.append(manhole)
    if config.control is not None:
        doors.append(_control(config, config.control, balancer, file, owner))
    web = config.admin.web
    if web is not None and web.enable:
        # As above: this import is not done by processes without a console.
        console = importlib.import_module("txlb.admin.web").webServiceOf(
            config.admin, balancer, file
        )
        try:
            _bind(console.bind, web.listen, owner)
        except (ListenError, CertificateError) as error:
            raise _at(config, config.webLine, error) from error
        file.follow(lambda new: console.setUsers(new.admin.users, new.admin.tokens))
        doors.append(console)
    supervisor = Supervisor.fromEnvironment(os.environ)
    upgrading = Upgrading(balancer, balancer.doors, files.pidFile, supervisor, successor)
    return Daemon(balancer, logs, doors, supervisor=supervisor, upgrading=upgrading)


def _control(
    config: Configuration,
    path: str,
    balancer: LoadBalancedService,
    file: ConfigurationFile,
    owner: Owner,
) -> Any:
    """
    Make the control socket, and listen.
    """
    control = controlService(balancer, path, config=file)
    try:
        _bind(control.bind, UNIXAddress(path), owner)
    except ListenError as error:
        raise _at(config, config.controlLine, error) from error
    return control


def _bind(bind: Callable[[], object], address: object, owner: Owner) -> None:
    """
    Listen, so that the process can remove the file of a UNIX socket when it stops.
    """
    if not isinstance(address, UNIXAddress):
        bind()
        return
    with owner.rights(address.path) as asUser:
        bind()
    if not asUser:
        _ownerOfSocket(owner, address).give(address.path)


def _ownerOfSocket(owner: Owner, address: UNIXAddress) -> Owner:
    """
    Return the owner of a socket's file after root's rights are given up: user and group
    of the configuration stay.
    """
    return Owner(
        owner.uid if address.user is None else None,
        owner.gid if address.group is None else None,
    )


def _logs(
    config: Configuration, balancer: LoadBalancedService, files: TwistdFiles
) -> list[IService]:
    settings, owner = config.logging, files.owner
    if settings is None:
        return []
    logFile = LogFileService(
        settings.file,
        settings.format,
        settings.rotateLength,
        settings.maxRotated,
        owner=owner,
    )
    files.alsoLog(logFile)
    if settings.connections:
        balancer.record = logFile.access
    folder = os.path.dirname(settings.file)
    if logFile.isRotated and owner.cantWriteTo(folder):
        files.say(
            f"{config.path}: note: {folder} can't be written to by the user that the process will "
            f"be (uid {owner.uid}), so its log is not rotated"
        )
    return [logFile]


def _at(config: Configuration, line: int, error: TxlbError) -> TxlbError:
    """
    Return the error with the place in the file that caused it.
    """
    return TxlbError(f"{config.path}:{line}: {error}")
