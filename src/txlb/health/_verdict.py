"""
What a check found out.
"""

from __future__ import annotations

import errno
import os
import ssl
from dataclasses import dataclass

from txlb.errors import TxlbError
from txlb.wire import AgentReply

#: What the network says on behalf of a host; the words are for logs.
_SAID = {
    errno.ECONNREFUSED: "connection refused",
    errno.ECONNRESET: "connection reset",
    errno.EPIPE: "connection reset",
    errno.ETIMEDOUT: "connection timed out",
    errno.EHOSTUNREACH: "no route to the host",
    errno.ENETUNREACH: "network unreachable",
    errno.EAGAIN: "its backlog is full",
    errno.ENOENT: "there is no such socket",
}

#: Our own want of descriptors, ports or memory: no fault of any host's.
_OURS = frozenset({errno.EMFILE, errno.ENFILE, errno.EADDRNOTAVAIL, errno.ENOBUFS, errno.ENOMEM})


@dataclass(frozen=True, slots=True)
class Verdict:
    """
    What a check found out of a host.

    @ivar passed: whether the host is well; L{None} where the check could not
        find out, through no fault of the host's. Then nothing is counted.
    @ivar detail: the answer or what was wrong with it, as it reads in a log.
    @ivar reply: what an agent beside the host said.
    """

    passed: bool | None
    detail: str
    reply: AgentReply | None = None


class CheckEnded(TxlbError):
    """
    The check is over before its last step; it is raised inside a check only.

    @ivar verdict: what was found.
    """

    def __init__(self, verdict: Verdict) -> None:
        self.verdict = verdict
        super().__init__(verdict.detail)

    @classmethod
    def failed(cls, detail: str) -> CheckEnded:
        """
        The host did not pass.
        """
        return cls(Verdict(False, detail))


def verdictOf(error: OSError) -> Verdict:
    """
    What an error of the system says of the host that was talked to.
    """
    if isinstance(error, ssl.SSLError):
        return Verdict(False, f"TLS failed: {tlsReason(error)}")
    number = error.errno or 0
    if number in _OURS:
        return Verdict(None, f"the balancer itself can't check: {os.strerror(number)}")
    said = _SAID.get(number) or error.strerror or str(error)
    return Verdict(False, said[:1].lower() + said[1:])


def tlsReason(error: ssl.SSLError) -> str:
    """
    What OpenSSL says, in words.
    """
    return (getattr(error, "reason", None) or str(error)).lower().replace("_", " ")
