"""
The result of a check.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass

from txlb.connecting import failureOf
from txlb.errors import TxlbError
from txlb.model import Address
from txlb.pool import Failure, FailureKind
from txlb.wire import AgentReply

#: Failures because the balancer lacks descriptors, ports or memory: no fault of a host.
_OURS = frozenset({FailureKind.LOCAL, FailureKind.PORTS})


@dataclass(frozen=True, slots=True)
class Verdict:
    """
    The result of a check.

    @ivar passed: whether the host is well; L{None} if the check could not find out, through
        no fault of the host. Then nothing is counted.
    @ivar detail: the answer or what was wrong with it, as text for the log.
    @ivar reply: the reply of an agent beside the host.
    @ivar address: the address at which the host was reached, if it is not that of the target.
        L{txlb.health.Sockets} sets it.
    """

    passed: bool | None
    detail: str
    reply: AgentReply | None = None
    address: Address | None = None


class CheckEnded(TxlbError):
    """
    An error that ends a check before its last step. It is raised inside a check only.

    @ivar verdict: the result of the check.
    """

    def __init__(self, verdict: Verdict) -> None:
        self.verdict = verdict
        super().__init__(verdict.detail)

    @classmethod
    def failed(cls, detail: str) -> CheckEnded:
        """
        Make the error of a host that did not pass.
        """
        return cls(Verdict(False, detail))


def verdictOf(error: OSError, address: Address | None = None) -> Verdict:
    """
    Return the verdict that follows from an error of the system.

    @param address: the host's address, if it is known.
    """
    if isinstance(error, ssl.SSLError):
        return Verdict(False, f"TLS failed: {tlsReason(error)}")
    if not error.errno:
        return Verdict(False, error.strerror or str(error))
    return verdictOfFailure(failureOf(error.errno, address))


def verdictOfFailure(failure: Failure) -> Verdict:
    """
    Return the verdict that follows from a failure to connect.
    """
    if failure.kind in _OURS:
        return Verdict(None, f"the balancer itself can't check: {failure.detail}")
    return Verdict(False, failure.detail)


def tlsReason(error: ssl.SSLError) -> str:
    """
    Return the reason of an error of OpenSSL, in words.
    """
    return (getattr(error, "reason", None) or str(error)).lower().replace("_", " ")
