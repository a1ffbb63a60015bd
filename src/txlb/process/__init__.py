"""
What is the operating system's of a process: the files that it opens, the rights with
which it opens them, signals, and what twistd's own options name.
"""

from txlb.process._socketfile import SocketFile
from txlb.process._unixport import UNIXPort, listenUNIX

__all__ = ["SocketFile", "UNIXPort", "listenUNIX"]
