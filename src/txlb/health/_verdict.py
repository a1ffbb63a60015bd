"""
What a check found out.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass

from txlb.connecting import failureOf
from txlb.errors import TxlbError
from txlb.model import Address
from txlb.pool import Failure, FailureKind
from txlb.wire import AgentReply

#: Our own want of descriptors, ports or memory: no fault of any host's.
_OURS = frozenset({FailureKind.LOCAL, FailureKind.PORTS})


@dataclass(frozen=True, slots=True)
class Verdict:
    """
    What a check found out of a host.

    @ivar passed: whether the host is well; L{None} where the check could not
        find out, through no fault of the host's. Then nothing is counted.
    @ivar detail: the answer or what was wrong with it, as it reads in a log.
    @ivar reply: what an agent beside the host said.
    @ivar address: where the host was reached, if not at the address that the check was
        given; what runs the check says it.
    """

    passed: bool | None
    detail: str
    reply: AgentReply | None = None
    address: Address | None = None


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


def verdictOf(error: OSError, address: Address | None = None) -> Verdict:
    """
    What an error of the system says of the host that was talked to.

    @param address: the host's address, if it is known.
    """
    if isinstance(error, ssl.SSLError):
        return Verdict(False, f"TLS failed: {tlsReason(error)}")
    if not error.errno:
        return Verdict(False, error.strerror or str(error))
    return verdictOfFailure(failureOf(error.errno, address))


def verdictOfFailure(failure: Failure) -> Verdict:
    """
    What a failure to connect says of the host.
    """
    if failure.kind in _OURS:
        return Verdict(None, f"the balancer itself can't check: {failure.detail}")
    return Verdict(False, failure.detail)


def tlsReason(error: ssl.SSLError) -> str:
    """
    What OpenSSL says, in words.
    """
    return (getattr(error, "reason", None) or str(error)).lower().replace("_", " ")
