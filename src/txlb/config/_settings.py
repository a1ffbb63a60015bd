"""
The settings of a configuration file beside its services, as frozen values.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from txlb.config._passwordhash import PasswordHash
from txlb.model import LISTEN_ADDRESS, HealthCheck, ListenAddress, TCPAddress
from txlb.model.kinds import DAY, WEEK, Boolean, Name, Path, Seconds, Whole, Word
from txlb.model.settings import Since, setting

#: Where the prompt and the pages listen by default: on loopback.
DEFAULT_SSH = TCPAddress("127.0.0.1", 2222)
DEFAULT_WEB = TCPAddress("127.0.0.1", 7001)

#: Seconds between two checks of a host that is about to change, if an old element has
#: hosts checked.
CHANGING_INTERVAL = 2.0

#: The rights that a user can have.
ACCESS_WORDS = ("full", "operator", "readonly")


@dataclass(frozen=True, slots=True)
class AdminUser:
    """
    A user that may log in.

    @ivar password: a hash as C{txlb passwd} prints it, or an old crypt(3) hash, with which
        no login succeeds; L{None} for none.
    @ivar authorizedKeys: an absolute path; L{None} for none.
    """

    name: str = field(
        metadata=setting(
            Name("user"), "Its name, the only one of its kind in the file.", since=Since.OLD
        )
    )
    password: str | None = field(
        default=None,
        repr=False,
        metadata=setting(
            PasswordHash(),
            "The hash of the password. No login succeeds with a crypt(3) hash of an old file.",
            defaultDoc="no password",
            since=Since.OLD,
        ),
    )
    authorizedKeys: str | None = field(
        default=None,
        metadata=setting(
            Path(),
            "A file of public keys, as in OpenSSH's ``authorized_keys``.",
            defaultDoc="no keys",
        ),
    )
    access: str = field(
        default="full",
        metadata=setting(
            Word(ACCESS_WORDS),
            "What the user may do: with ``readonly`` look, with ``operator`` also drain hosts, "
            "bring them back and weigh them, with ``full`` everything. Only ``full`` opens the "
            "Python prompt, as nothing can be forbidden there.",
            since=Since.OLD,
        ),
    )


@dataclass(frozen=True, slots=True)
class SSHSettings:
    """
    The Python prompt that is reached by ssh.
    """

    listen: ListenAddress = field(
        default=DEFAULT_SSH,
        metadata=setting(
            LISTEN_ADDRESS,
            "Where it listens. A user at the prompt can do all that the balancer can, so keep it "
            "on loopback unless there is a reason.",
            since=Since.OLD,
            unset=("2222", "None"),
        ),
    )
    enable: bool = field(
        default=False, metadata=setting(Boolean(), "Whether it listens.", since=Since.OLD)
    )


@dataclass(frozen=True, slots=True)
class WebSettings:
    """
    The web pages.
    """

    listen: ListenAddress = field(
        default=DEFAULT_WEB,
        metadata=setting(LISTEN_ADDRESS, "Where they listen.", since=Since.OLD, unset=("None",)),
    )
    enable: bool = field(
        default=False, metadata=setting(Boolean(), "Whether they are served.", since=Since.OLD)
    )
    secure: bool = field(
        default=False,
        metadata=setting(Boolean(), "Whether they are served over TLS.", since=Since.OLD),
    )
    refresh: float = field(
        default=30.0,
        metadata=setting(
            Seconds(1.0, DAY),
            "Seconds between two refreshes of the running page.",
            since=Since.OLD,
            unset=("True", "False"),
        ),
    )


@dataclass(frozen=True, slots=True)
class AdminSettings:
    """
    How the balancer is looked at and changed while it runs.

    @ivar ssh: L{None} if the file has no such element.
    @ivar web: L{None} if the file has no such element.
    @ivar users: in the order of the file.
    """

    ssh: SSHSettings | None = None
    web: WebSettings | None = None
    users: tuple[AdminUser, ...] = ()


@dataclass(frozen=True, slots=True)
class TimerSettings:
    """
    Something that is done again and again.
    """

    interval: float = field(
        metadata=setting(Seconds(0.01, WEEK), "Seconds from one time to the next.", since=Since.OLD)
    )
    enable: bool = field(
        default=False, metadata=setting(Boolean(), "Whether it is done.", since=Since.OLD)
    )


@dataclass(frozen=True, slots=True)
class ConfigCheckSettings(TimerSettings):
    """
    What a balancer does with its configuration file by itself: it saves live changes, and
    reads the file again if its settings say so.
    """

    backups: int = field(
        default=10,
        metadata=setting(
            Whole(0, 1000, "files", "none"),
            "How many old files are kept when one is saved: beside it, with the time behind "
            "their names. It counts for ``txlb save``, too.",
        ),
    )
    reload: bool = field(
        default=False,
        metadata=setting(
            Boolean(),
            "Whether the file is loaded again some seconds after a person or a program has changed "
            "it.",
        ),
    )


@dataclass(frozen=True, slots=True)
class ManagerSettings:
    """
    What the balancer does by itself.

    @ivar hostCheck: tries hosts that are down; L{None} if the file has no such element.
    @ivar configCheck: saves live changes, and follows the file; L{None} likewise.
    @ivar heartbeat: checks hosts that are up; L{None} likewise.
    """

    hostCheck: TimerSettings | None = None
    configCheck: ConfigCheckSettings | None = None
    heartbeat: TimerSettings | None = None
    graceTime: float = field(
        default=10.0,
        metadata=setting(
            Seconds(0.0, DAY),
            "Seconds that open connections have to finish when the balancer stops; then they "
            "are reset.",
        ),
    )
    maxChecks: int = field(
        default=100,
        metadata=setting(
            Whole(1, 10_000), "How many health checks are under way at once; more wait their turn."
        ),
    )

    @property
    def check(self) -> HealthCheck | None:
        """
        The check of hosts that have no check of their own and whose group has none. The old
        elements have intervals of minutes, at which it would take long to be sure; so a
        host that is about to change is checked more often.
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
    """

    file: str = field(
        metadata=setting(
            Path(),
            "The file; or a device, a named pipe, or ``/dev/stdout``, which are not rotated.",
            since=Since.OLD,
        )
    )
    connections: bool = field(
        default=False, metadata=setting(Boolean(), "Whether each finished connection gets a line.")
    )
    format: str = field(
        default="text", metadata=setting(Word(("text", "json")), "How lines are written.")
    )
    rotateLength: int = field(
        default=10 * 1024 * 1024,
        metadata=setting(
            Whole(1024, 10**12, "bytes", "never"), "After how many bytes a new file is begun."
        ),
    )
    maxRotated: int = field(
        default=5, metadata=setting(Whole(1, 1000, "files"), "How many old files are kept.")
    )
