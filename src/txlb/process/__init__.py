"""
The parts of the process that belong to the operating system and the interpreter: the files that
it opens, the rights for opening them, signals, the files of twistd's own options, and the collector
of garbage.
"""

from txlb.process._collector import Collector
from txlb.process._command import STARTED_IN, ownCommand, sameCommand
from txlb.process._errorline import endOf, errorLine, lastWords
from txlb.process._files import UnusableFile, readSmallFile
from txlb.process._folder import Folder, UntrustedPath, isExposed, ownFolderRemedy
from txlb.process._listening import EXHAUSTED, listens
from txlb.process._otherpidfile import OtherPidFile
from txlb.process._owner import Owner, OwnerError
from txlb.process._permissions import changeSocket
from txlb.process._pidfile import PidFile, PidFileError
from txlb.process._processlog import ProcessLog
from txlb.process._rotated import LogFileError, RotatedFile
from txlb.process._socketfile import SocketFile
from txlb.process._stamp import Stamp, stampOf
from txlb.process._started import KILLED, StartedProcess
from txlb.process._systemd import Supervisor
from txlb.process._twistd import TwistdFiles, TwistdService
from txlb.process._unixport import UNIXPort, listenUNIX, removeStaleSocket
from txlb.process._usersignal import UserSignal

__all__ = [
    "EXHAUSTED",
    "KILLED",
    "STARTED_IN",
    "Collector",
    "Folder",
    "LogFileError",
    "OtherPidFile",
    "Owner",
    "OwnerError",
    "PidFile",
    "PidFileError",
    "ProcessLog",
    "RotatedFile",
    "SocketFile",
    "Stamp",
    "StartedProcess",
    "Supervisor",
    "TwistdFiles",
    "TwistdService",
    "UNIXPort",
    "UntrustedPath",
    "UnusableFile",
    "UserSignal",
    "changeSocket",
    "endOf",
    "errorLine",
    "isExposed",
    "lastWords",
    "listenUNIX",
    "listens",
    "ownCommand",
    "ownFolderRemedy",
    "readSmallFile",
    "removeStaleSocket",
    "sameCommand",
    "stampOf",
]
