"""
C{twistd txlb}: a balancer from a configuration file, or the demo.
"""

from __future__ import annotations

import sys
from typing import NoReturn

from twisted.application.service import IService
from twisted.python.usage import Options as BaseOptions
from twisted.python.usage import UsageError

from txlb import __version__
from txlb.admin import controlService, manholeService
from txlb.application import (
    ConfigurationFile,
    Daemon,
    FileKeeper,
    LoadBalancedService,
    LogFileService,
)
from txlb.config import Configuration, loadConfiguration
from txlb.demo import Demo
from txlb.errors import ListenError, TxlbError
from txlb.manager import proxyManagerFactory

__all__ = ["Options", "makeService"]


class Options(BaseOptions):
    """
    The options of C{twistd txlb}.
    """

    synopsis = "(-c FILE | --demo) [options]"
    longdesc = (
        "Balance TCP connections over hosts. To stay in the foreground, say twistd -n txlb. "
        "SIGTERM or SIGINT stops gracefully, a second one at once; SIGHUP loads the file again, "
        "SIGUSR1 opens the log file anew. To look at a configuration file before it is used, say: "
        "txlb check FILE"
    )
    optParameters = (
        ("config", "c", None, "The configuration file."),
        (
            "state-directory",
            "s",
            None,
            (
                "Where the ssh host key is kept. By default $STATE_DIRECTORY, /var/lib/txlb for "
                "root, or txlb in $XDG_STATE_HOME or ~/.local/state."
            ),
        ),
    )
    optFlags = (
        ("demo", None, "Balance three small web hosts of its own, to have something to try."),
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
        There are no arguments beside the options.
        """
        if words:
            raise UsageError(f"{words[0]!r} is no option; a configuration file follows -c")

    def postOptions(self) -> None:
        """
        Check that they say one thing.
        """
        if self["demo"] and self["config"]:
            raise UsageError("--demo has a configuration of its own; leave out -c")
        if not (self["demo"] or self["config"]):
            raise UsageError("say what to balance: -c FILE, or --demo to try it out")


def makeService(options: Options) -> IService:
    """
    Make what the options ask for. All addresses are listened on afterwards, so
    that whatever is wrong is said on the terminal, before twistd goes to the
    background.

    @raise SystemExit: it can't be had; why has been written to stderr.
    """
    try:
        if options["demo"]:
            service: IService = Demo(stateDirectory=options["state-directory"])
        else:
            service = _fromFile(options["config"], options["state-directory"])
    except TxlbError as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(1) from None
    return service


def _fromFile(path: str, stateDirectory: str | None) -> IService:
    config = loadConfiguration(path)
    for note in config.notes:
        sys.stderr.write(f"{note}\n")
    manager = proxyManagerFactory(config.services)
    manager.setDefaultCheck(config.manager.check)
    balancer = LoadBalancedService(
        manager, graceTime=config.manager.graceTime, maxChecks=config.manager.maxChecks
    )
    try:
        return _daemon(config, balancer, stateDirectory)
    except TxlbError:
        # What it listens on by now.
        balancer.stopService()
        raise


def _daemon(
    config: Configuration, balancer: LoadBalancedService, stateDirectory: str | None
) -> Daemon:
    for name in balancer.getProxyNames():
        listener = balancer.getProxyService(name)
        try:
            listener.bind()
        except ListenError as error:
            raise _at(config, config.lineOf(listener.serviceName, listener.index), error) from error
    file = ConfigurationFile(balancer, config)
    file.follow(lambda new: setattr(balancer, "graceTime", new.manager.graceTime))
    FileKeeper(file, balancer.manager).setServiceParent(balancer)
    logs = []
    if config.logging is not None:
        settings = config.logging
        logFile = LogFileService(
            settings.file, settings.format, settings.rotateLength, settings.maxRotated
        )
        if settings.connections:
            balancer.record = logFile.access
        logs.append(logFile)
    doors: list[IService] = []
    ssh = config.admin.ssh
    if ssh is not None and ssh.enable:
        manhole = manholeService(
            balancer,
            ssh.listen,
            config.admin.users,
            stateDirectory=stateDirectory,
            config=file,
        )
        try:
            manhole.bind()
        except ListenError as error:
            raise _at(config, config.sshLine, error) from error
        manhole.loadHostKey()
        file.follow(lambda new: manhole.setUsers(new.admin.users))
        doors.append(manhole)
    if config.control is not None:
        control = controlService(balancer, config.control, config=file)
        try:
            control.bind()
        except ListenError as error:
            raise _at(config, config.controlLine, error) from error
        doors.append(control)
    return Daemon(balancer, logs, doors)


def _at(config: Configuration, line: int, error: TxlbError) -> TxlbError:
    """
    The same error with the place in the file that asked for it.
    """
    return TxlbError(f"{config.path}:{line}: {error}")
