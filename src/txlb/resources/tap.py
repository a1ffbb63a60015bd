"""
C{twistd txlb-agent}: an agent on its own.
"""

from __future__ import annotations

import sys

from twisted.application.service import IService
from twisted.python.usage import Options as BaseOptions
from twisted.python.usage import UsageError

from txlb.errors import TxlbError
from txlb.resources._service import DEFAULT_LISTEN, AgentService

__all__ = ["Options", "makeService"]


class Options(BaseOptions):
    """
    The options of C{twistd txlb-agent}.
    """

    synopsis = "[options]"
    longdesc = (
        "Tell load balancers what is left of this machine, from 0 % to 100 %, in HAProxy's "
        "agent-check protocol: one line to everybody who connects. To stay in the foreground, "
        "say twistd -n txlb-agent."
    )
    optParameters = (
        (
            "listen",
            "l",
            DEFAULT_LISTEN,
            "Where to listen: host:port, *:9999 for every interface, or unix:/path.",
        ),
        ("interval", "i", "1", "Seconds from one measurement to the next, 0.1 to 60."),
    )
    compData = None

    def parseArgs(self, *words: str) -> None:
        """
        There are no arguments beside the options.
        """
        if words:
            raise UsageError(f"{words[0]!r} is no option; where to listen follows -l")

    def postOptions(self) -> None:
        """
        Read the numbers.
        """
        try:
            self["interval"] = float(self["interval"])
        except ValueError:
            raise UsageError(f"{self['interval']!r} is no number of seconds") from None


def makeService(options: Options) -> IService:
    """
    Make the agent, and listen, so that whatever is wrong is said on the terminal.

    @raise SystemExit: it can't be had; why has been written to stderr.
    """
    try:
        agent = AgentService(options["listen"], interval=options["interval"])
        agent.bind()
    except TxlbError as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(1) from None
    return agent
