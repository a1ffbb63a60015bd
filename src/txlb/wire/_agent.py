"""
The line of an agent beside a host, in HAProxy's agent-check protocol.

A line ends with the first CR or LF. It has words in any order, with blanks, tabs or commas
between them, in upper or lower case::

    75%                 the share of its configured weight that it can carry
    weight:40           the weight itself; weight:75% is the same as 75%
    maxconn:30          how many connections it takes at once; 0 for no limit
    ready drain maint   the state that the administrator wants
    up down fail stopped #why     its health, with a reason for people

Of several words of one kind the last one counts. A value that no word gives is not
changed. An unknown word has no effect on the others.

Source: HAProxy 2.6, configuration manual, C{agent-check}; C{weight:} as its
author describes it in github.com/haproxy/haproxy, issue 360.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum

#: The most bytes that a line may have, its end included. HAProxy reads as much as its buffer
#: holds, 16 KiB by default; lines of agents have some ten bytes.
MAX_AGENT_LINE = 1024

#: The largest number of a word. It is above every useful one.
MAX_NUMBER = 10**9

#: The most characters of a reason.
MAX_REASON = 512

_BLANKS = b" \t"
_BETWEEN = b" \t,"


class AgentState(Enum):
    """
    The state that an administrator wants for a host. The value is the word on the wire.
    """

    READY = "ready"
    DRAIN = "drain"
    MAINT = "maint"


class AgentHealth(Enum):
    """
    The health of a host. The value is the word on the wire. All but C{UP} mean that the host
    is down: broken, failing a test of its own, or stopped on purpose.
    """

    UP = "up"
    DOWN = "down"
    FAIL = "fail"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class AgentReply:
    """
    The reply of an agent. L{None} stands for a value that it did not mention and that stays
    as it is.

    @ivar percent: the share of its configured weight that the host can carry,
        0 to 10**9; 0 means nothing new, and 100 all of it.
    @ivar weight: the weight itself, 0 to 10**9; never beside C{percent}.
    @ivar maxConnections: how many connections the host takes at once, 0 to
        10**9; 0 for no limit.
    @ivar state: the state that an administrator wants for it.
    @ivar health: its health.
    @ivar reason: the reason of its health, for people: at most 512 printable characters, only
        beside C{health}.
    @ivar error: the first word that could not be understood, for people. The others count.
        L{formatAgentReply} does not write it.
    """

    percent: int | None = None
    weight: int | None = None
    maxConnections: int | None = None
    state: AgentState | None = None
    health: AgentHealth | None = None
    reason: str = ""
    error: str = ""

    def __post_init__(self) -> None:
        for name in ("percent", "weight", "maxConnections"):
            value = getattr(self, name)
            if value is not None and not _isNumber(value):
                raise ValueError(
                    f"{name} of an agent's reply is {value!r}; it is 0 to {MAX_NUMBER}"
                )
        if self.percent is not None and self.weight is not None:
            raise ValueError("an agent's reply has a percentage or a weight, not both")
        if self.reason != _printable(self.reason):
            raise ValueError(
                f"the reason in an agent's reply is {self.reason!r}; it has at most {MAX_REASON} "
                "printable characters, without a space at either end"
            )
        if self.reason and self.health is None:
            raise ValueError("an agent's reply has a reason only beside its health")

    @property
    def isEmpty(self) -> bool:
        """
        Whether no value is given.
        """
        return replace(self, error="") == AgentReply()


def formatAgentReply(reply: AgentReply) -> bytes:
    """
    Return the line of a reply, its end included, of at most L{MAX_AGENT_LINE} bytes.
    """
    words: list[str] = []
    if reply.state is not None:
        words.append(reply.state.value)
    if reply.health is not None:
        words.append(reply.health.value)
    if reply.percent is not None:
        words.append(f"{reply.percent}%")
    if reply.weight is not None:
        words.append(f"weight:{reply.weight}")
    if reply.maxConnections is not None:
        words.append(f"maxconn:{reply.maxConnections}")
    if reply.reason:
        words.append(f"#{reply.reason}")
    line = " ".join(words).encode("utf-8", "replace")
    # A character has up to four bytes, and the line is not cut inside one.
    whole = line[: MAX_AGENT_LINE - 1].decode("utf-8", "ignore")
    return whole.rstrip().encode("utf-8") + b"\n"


def parseAgentReply(line: bytes) -> AgentReply:
    """
    Read the line of an agent.

    @param line: its bytes from the first on. Bytes after the first CR or LF are ignored, and
        neither has to be there.
    @return: the reply. If nothing could be understood, only its C{error} is set.
    """
    line = _firstLine(line)
    if len(line) >= MAX_AGENT_LINE:
        return AgentReply(error=f"the line has more than {MAX_AGENT_LINE} bytes")
    found = _Found()
    rest = line.lstrip(_BETWEEN)
    while rest and not rest.startswith(b"#"):
        word, rest = _cut(rest)
        found.take(_printable(word.decode("utf-8", "replace")))
        rest = rest.lstrip(_BETWEEN)
    return found.reply(_printable(rest[1:].strip(_BLANKS).decode("utf-8", "replace")))


class AgentReader:
    """
    A reader of an agent's line, in the pieces in which it arrives. It holds at most
    L{MAX_AGENT_LINE} bytes.
    """

    def __init__(self) -> None:
        self._held = b""

    def feed(self, data: bytes) -> AgentReply | None:
        """
        Take the next bytes.

        @return: the reply once its line is complete or too long; L{None} before
            that.
        """
        self._held = (self._held + data)[:MAX_AGENT_LINE]
        if len(self._held) < MAX_AGENT_LINE and not _hasEnd(self._held):
            return None
        return parseAgentReply(self._held)

    def ended(self) -> AgentReply:
        """
        Return the reply of an agent that closed before its line was complete. As in HAProxy,
        nothing of the line counts, as the first half of a number is another number.
        """
        if not self._held.strip(_BLANKS):
            return AgentReply(error="the agent said nothing")
        return AgentReply(error="the line has no end (CR or LF)")


class _Found:
    """
    The words of a line so far.
    """

    def __init__(self) -> None:
        self._reply = AgentReply()
        self._error = ""

    def take(self, word: str) -> None:
        lower = word.lower()
        name, colon, number = lower.partition(":")
        if lower in _STATES:
            self._reply = replace(self._reply, state=_STATES[lower])
        elif lower in _HEALTHS:
            self._reply = replace(self._reply, health=_HEALTHS[lower])
        elif lower.endswith("%") and not colon:
            self._number(word, lower[:-1], self._percent)
        elif name == "weight" and number.endswith("%"):
            self._number(word, number[:-1], self._percent)
        elif name == "weight" and colon:
            self._number(word, number, self._weight)
        elif name == "maxconn" and colon:
            self._number(word, number, self._maxConnections)
        else:
            self._wrong(f"no word of an agent: {word!r}")

    def reply(self, reason: str) -> AgentReply:
        if self._reply.health is not None:
            self._reply = replace(self._reply, reason=reason)
        if self._reply == AgentReply():
            self._wrong("the line says nothing")
        return replace(self._reply, error=self._error)

    def _number(self, word: str, digits: str, use: Callable[[int], None]) -> None:
        number = int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 19 else -1
        if _isNumber(number):
            use(number)
        else:
            self._wrong(f"no whole number from 0 to {MAX_NUMBER}: {word!r}")

    def _percent(self, number: int) -> None:
        self._reply = replace(self._reply, percent=number, weight=None)

    def _weight(self, number: int) -> None:
        self._reply = replace(self._reply, percent=None, weight=number)

    def _maxConnections(self, number: int) -> None:
        self._reply = replace(self._reply, maxConnections=number)

    def _wrong(self, error: str) -> None:
        # The first error is the most useful one.
        self._error = self._error or error


_STATES = {state.value: state for state in AgentState}
_HEALTHS = {health.value: health for health in AgentHealth}


def _isNumber(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_NUMBER


def _firstLine(data: bytes) -> bytes:
    return data.partition(b"\n")[0].partition(b"\r")[0]


def _hasEnd(data: bytes) -> bool:
    return b"\n" in data or b"\r" in data


def _cut(line: bytes) -> tuple[bytes, bytes]:
    """
    Return the first word and the rest of a line.
    """
    for at, byte in enumerate(line):
        if byte in _BETWEEN:
            return line[:at], line[at:]
    return line, b""


def _printable(text: str) -> str:
    """
    Return a text without control characters, so that an agent can't control a terminal
    by way of the log.
    """
    shown = "".join(letter if letter.isprintable() else "?" for letter in text)
    return shown[:MAX_REASON].strip()
