"""
C{twistd txlb-agent}: an agent on its own.
"""

from __future__ import annotations

from twisted.application.service import IService
from twisted.python.usage import Options as BaseOptions
from twisted.python.usage import UsageError

from txlb.errors import TxlbError
from txlb.model import UNIXAddress
from txlb.model.kinds import UNITS_SHOWN, secondsOf
from txlb.process import TwistdFiles
from txlb.resources._service import DEFAULT_LISTEN, AgentService

__all__ = ["Options", "makeService"]


class Options(BaseOptions):
    """
    The options of C{twistd txlb-agent}.
    """

    synopsis = "[options]"
    longdesc = (
        "Reports to load balancers what this machine has left, from 0 % to 100 %, in HAProxy's "
        "agent-check protocol: one line on each connection. To stay in the foreground, "
        "use twistd -n txlb-agent."
    )
    optParameters = (
        (
            "listen",
            "l",
            DEFAULT_LISTEN,
            "The address to listen on: host:port, *:9999 for every interface, or unix:/path.",
        ),
        ("interval", "i", "1", "The time from one measurement to the next, 0.1 to 60 seconds."),
    )
    compData = None

    def parseArgs(self, *words: str) -> None:
        """
        Refuse arguments, as there are none beside the options.
        """
        if words:
            raise UsageError(f"{words[0]!r} is no option; where to listen follows -l")

    def postOptions(self) -> None:
        """
        Read the numbers.
        """
        interval = secondsOf(self["interval"])
        if interval is None:
            raise UsageError(
                f"{self['interval']!r} is no time; give a number of seconds, or one with a unit, "
                f"as in {UNITS_SHOWN}"
            )
        self["interval"] = interval


def makeService(options: Options) -> IService:
    """
    Make the agent, and listen, so that errors appear on the terminal. The files that twistd's
    own options name are opened here too, see L{txlb.process.TwistdFiles}.

    @raise SystemExit: the agent can't start. The reason is written to stderr, or to the log if
        stderr is closed.
    """
    files = TwistdFiles(getattr(options, "parent", None))
    try:
        files.open()
        agent = AgentService(options["listen"], interval=options["interval"])
        if isinstance(agent.address, UNIXAddress):
            with files.owner.rights(agent.address.path):
                agent.bind()
            files.owner.give(agent.address.path)
        else:
            agent.bind()
    except TxlbError as error:
        files.refuse(str(error))
        raise SystemExit(1) from None
    return files.serve(agent)
