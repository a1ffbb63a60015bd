"""
What a configuration file says beside its services, as frozen values.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from txlb.model import HealthCheck, ListenAddress, TCPAddress

#: Where the prompt and the pages listen unless told otherwise: on loopback.
DEFAULT_SSH = TCPAddress("127.0.0.1", 2222)
DEFAULT_WEB = TCPAddress("127.0.0.1", 7001)

#: Seconds between two checks of a host that is about to change, where an old
#: element has hosts checked.
CHANGING_INTERVAL = 2.0

#: The rights that a user can have.
ACCESS_WORDS = ("full", "operator", "readonly")


@dataclass(frozen=True, slots=True)
class AdminUser:
    """
    Somebody who may log in.

    @ivar name: the login name.
    @ivar password: a hash as C{txlb passwd} prints it, or an old crypt(3) hash,
        with which nobody can log in; L{None} where the user has no password.
    @ivar authorizedKeys: the absolute path of a file of public keys as OpenSSH
        writes them; L{None} for none.
    @ivar access: C{full}, C{operator} or C{readonly}; see L{txlb.admin.COMMANDS}. Only
        C{full} opens the Python prompt.
    """

    name: str
    password: str | None = field(default=None, repr=False)
    authorizedKeys: str | None = None
    access: str = "full"


@dataclass(frozen=True, slots=True)
class SSHSettings:
    """
    The Python prompt that is reached by ssh.

    @ivar listen: where it listens.
    @ivar enable: whether it does.
    """

    listen: ListenAddress = DEFAULT_SSH
    enable: bool = False


@dataclass(frozen=True, slots=True)
class WebSettings:
    """
    The web pages.

    @ivar listen: where they listen.
    @ivar enable: whether they do.
    @ivar secure: whether over TLS.
    @ivar refresh: seconds between two refreshes of the running page, 1 to a day.
    """

    listen: ListenAddress = DEFAULT_WEB
    enable: bool = False
    secure: bool = False
    refresh: float = 30.0


@dataclass(frozen=True, slots=True)
class AdminSettings:
    """
    How the balancer is looked at and changed while it runs.

    @ivar ssh: L{None} where the file has no such element.
    @ivar web: likewise.
    @ivar users: in the order of the file.
    """

    ssh: SSHSettings | None = None
    web: WebSettings | None = None
    users: tuple[AdminUser, ...] = ()


@dataclass(frozen=True, slots=True)
class TimerSettings:
    """
    Something that is done again and again.

    @ivar interval: seconds from one time to the next.
    @ivar enable: whether it is done at all.
    """

    interval: float
    enable: bool = False


@dataclass(frozen=True, slots=True)
class ConfigCheckSettings(TimerSettings):
    """
    What a balancer does with its configuration file by itself.

    @ivar interval: seconds from one look at what was changed live to the next.
    @ivar enable: whether that is saved.
    @ivar backups: how many old files are kept when one is saved, 0 to 1000.
    @ivar reload: whether the file is read again when somebody has changed it.
    """

    backups: int = 10
    reload: bool = False


@dataclass(frozen=True, slots=True)
class ManagerSettings:
    """
    What the balancer does by itself.

    @ivar hostCheck: tries hosts that are down; L{None} where the file has no
        such element.
    @ivar configCheck: saves what was changed, and follows the file; likewise.
    @ivar heartbeat: checks hosts that are up; likewise.
    @ivar graceTime: seconds that open connections have when the balancer stops,
        0 to a day.
    @ivar maxChecks: health checks under way at once, 1 to 10,000.
    """

    hostCheck: TimerSettings | None = None
    configCheck: ConfigCheckSettings | None = None
    heartbeat: TimerSettings | None = None
    graceTime: float = 10.0
    maxChecks: int = 100

    @property
    def check(self) -> HealthCheck | None:
        """
        How hosts are checked that have no check of their own and none of their
        group's. The old elements have intervals of minutes, at which it would
        take long to be sure; so a host that is about to change is looked at more
        often.
        """
        for timer, onlyDown in ((self.heartbeat, False), (self.hostCheck, True)):
            if timer is not None and timer.enable:
                fast = min(timer.interval, CHANGING_INTERVAL)
                return HealthCheck("tcp", timer.interval, fastInterval=fast, onlyDown=onlyDown)
        return None


@dataclass(frozen=True, slots=True)
class LoggingSettings:
    """
    The log file.

    @ivar file: its absolute path.
    @ivar connections: whether each finished connection gets a line.
    @ivar format: C{text} or C{json}.
    @ivar rotateLength: bytes after which a new file is begun; 0 for never.
    @ivar maxRotated: how many old files are kept, 1 to 1000.
    """

    file: str
    connections: bool = False
    format: str = "text"
    rotateLength: int = 10 * 1024 * 1024
    maxRotated: int = 5
