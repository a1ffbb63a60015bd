"""
Sessions for scripts: lines come in, plain results go out.

C{ssh HOST 'expression'} begins one, and so does a pipe: C{echo 'status()' | ssh
HOST}. The lines are run in turn, up to the first one that fails, as a script
that went on would do harm. After the last line the session waits for pending
Deferreds. The exit status is 0 if all went well, else 1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Protocol

from txlb.admin._console import MAX_LINE, Acting, Interpreter
from txlb.deadlines import Deadline, Deadlines

#: Seconds that the session waits for pending Deferreds after the last line.
DEFERRED_WAIT = 60.0

#: The text for clients if the balancer stops.
STOPPING = "the balancer ends this session"


class Output(Protocol):
    """
    The client's end of a session.
    """

    def write(self, data: bytes) -> None:
        """
        Write to its standard output.
        """

    def writeError(self, data: bytes) -> None:
        """
        Write to its standard error.
        """

    def finish(self, status: int) -> None:
        """
        End the session with an exit status of 0 to 255.
        """


class PlainSession:
    """
    Runs lines as they come.

    @param output: gets the results.
    @param namespace: the names that are bound for the lines. C{status}, C{exit}
        and so on are there already.
    @param deadlines: ends the wait for Deferreds.
    @param log: is called with each line before it is run.
    @param newline: how a line of output ends.
    @param acting: makes the context in which each line runs.
    """

    def __init__(
        self,
        output: Output,
        namespace: Callable[[Callable[[str], None]], Mapping[str, object]],
        deadlines: Deadlines,
        log: Callable[[str], None],
        newline: bytes = b"\n",
        acting: Acting = nullcontext,
    ) -> None:
        self._output = output
        self._deadlines = deadlines
        self._log = log
        self._newline = newline
        self._interpreter = Interpreter(self, namespace(self.addOutput), acting)
        self._rest = b""
        self._needsNewline = False
        self._inputEnded = False
        self._ended = False
        self._deadline: Deadline | None = None

    # From the client

    def dataReceived(self, data: bytes) -> None:
        """
        Take bytes of the standard input.
        """
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._run(line)
        if len(self._rest) > MAX_LINE:
            # The interpreter refuses it with a message.
            rest, self._rest = self._rest, b""
            self._run(rest)

    def eofReceived(self) -> None:
        """
        End the session, as the standard input has ended. Pending Deferreds come first.
        """
        if self._ended or self._inputEnded:
            return
        self._inputEnded = True
        rest, self._rest = self._rest, b""
        if rest:
            self._run(rest)
        if self._interpreter.buffer:
            # An empty line completes a block. A statement that is open after it lacks
            # something.
            if self._interpreter.push(b""):
                self._interpreter.resetBuffer()
                self._interpreter.write("the input ends within a statement\n")
        self._finishWhenIdle()

    def closed(self) -> None:
        """
        Stop, as the client has gone.
        """
        self._ended = True
        if self._deadline is not None:
            self._deadline.cancel()

    def stopping(self, why: str = STOPPING) -> None:
        """
        End the session, as the balancer does.

        @param why: the reason, for the client.
        """
        self.addError(f"{why}\n")
        self.quit(1)

    def resized(self, width: int, height: int) -> None:
        """
        Ignore the size of the window.
        """

    # From the interpreter

    def addOutput(self, data: str, isAsync: bool = False) -> None:
        if data and not self._ended:
            self._needsNewline = not data.endswith("\n")
            self._output.write(self._encoded(data))

    def addError(self, data: str) -> None:
        if not self._ended:
            self._output.writeError(self._encoded(data))

    def quit(self, status: int = 0) -> None:
        if not self._ended:
            self.closed()
            self._output.finish(status)

    # Inside

    def _encoded(self, data: str) -> bytes:
        return data.encode("utf-8", "backslashreplace").replace(b"\n", self._newline)

    def _run(self, line: bytes) -> None:
        if self._ended:
            return
        # A Deferred of an earlier line may have failed meanwhile.
        if not self._interpreter.failed:
            line = line.removesuffix(b"\r")
            if line.strip():
                self._log(line.decode("utf-8", "replace"))
            self._interpreter.push(line)
            if self._needsNewline:
                self.addOutput("\n")
        if self._interpreter.failed:
            self.quit(1)

    def _finishWhenIdle(self) -> None:
        if self._interpreter.failed:
            self.quit(1)
        elif self._interpreter.pending:
            self._deadline = self._deadlines.after(DEFERRED_WAIT, self._waitedLongEnough)
            self._interpreter.whenIdle().addCallback(self._idle)
        else:
            self.quit()

    def _idle(self, ignored: None) -> None:
        self.quit(1 if self._interpreter.failed else 0)

    def _waitedLongEnough(self) -> None:
        count = self._interpreter.pending
        self.addError(f"{count} pending after {DEFERRED_WAIT:g} s; this session ends\n")
        self.quit(1)
