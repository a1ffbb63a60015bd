"""
The interpreter of the lines that are typed at the prompt.

It runs them in the balancer's own process and thread, so that they can reach everything.
Nothing else happens until a line has run. A line that never ends, or that waits, stops the
balancer, and neither Ctrl-C nor the end of the session can stop the line then. To wait, a
line returns a Deferred, whose result is shown when it comes.
"""

from __future__ import annotations

import code
import contextlib
import io
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

from twisted.internet.defer import Deferred, succeed
from twisted.python.failure import Failure

from txlb.admin._shown import CONSOLE, errorText, valueText

#: The longest line, and the most lines that belong together, in bytes.
MAX_LINE = 4096
MAX_BLOCK = 16384


#: Makes the context in which a line runs. It names the caller in events.
Acting = Callable[[], AbstractContextManager[None]]


class Console(Protocol):
    """
    The receiver of output.
    """

    def addOutput(self, data: str, isAsync: bool = False) -> None:
        """
        Show a text.

        @param isAsync: whether it comes by itself, not while a line runs.
        """

    def addError(self, data: str) -> None:
        """
        Show an error of a line.
        """

    def quit(self, status: int = 0) -> None:
        """
        End the session, as a line has asked for it, with an exit status of 0 to 255.
        """


class Interpreter(code.InteractiveInterpreter):
    """
    Python's interactive interpreter, line by line, with its output on a
    L{Console} and with Deferreds shown when they fire. One that has fired is shown as its
    result.

    Within a line C{print} writes to the console, and there is nothing to read
    from C{input}. C{exit()} ends the session and not the process.

    @param acting: is entered around each line.

    @ivar buffer: the lines of a statement that is not complete yet.
    @ivar failed: whether a line raised, was no Python, or had a Deferred that
        failed.
    """

    def __init__(
        self, console: Console, namespace: Mapping[str, object], acting: Acting = nullcontext
    ) -> None:
        super().__init__({"__name__": "__console__", "__doc__": None, **namespace})
        self.console = console
        self._acting = acting
        self.buffer: list[bytes] = []
        self.failed = False
        self._pending: dict[int, tuple[int, Deferred[Any]]] = {}
        self._numbered = 0
        self._running = False
        self._idle: list[Deferred[None]] = []

    def resetBuffer(self) -> None:
        """
        Forget the lines of a statement that is not complete.
        """
        self.buffer = []

    def push(self, line: bytes) -> bool:
        """
        Take the next line, and run the statement if it is complete.

        @param line: without its end, in UTF-8.
        @return: whether the statement needs more lines.
        """
        if len(line) > MAX_LINE or sum(map(len, self.buffer)) + len(line) > MAX_BLOCK:
            self.resetBuffer()
            self.write(
                f"a line has at most {MAX_LINE} bytes, and a statement {MAX_BLOCK}; "
                "nothing was run\n"
            )
            return False
        self.buffer.append(line)
        source = b"\n".join(self.buffer).decode("utf-8", "replace")
        more = False
        try:
            with self._acting(), self._streams():
                more = self.runsource(source, CONSOLE)
        except SystemExit as error:
            self._exit(error.code)
        if not more:
            self.resetBuffer()
        return more

    def showtraceback(self) -> None:
        """
        Show the error that the statement has raised.
        """
        kind, error, where = sys.exc_info()
        if error is None or where is None:
            return
        sys.last_type, sys.last_value, sys.last_traceback = kind, error, where
        # The first frame is the one that runs the statement.
        self.write(errorText(error, where.tb_next, max(len(self.buffer), 1)) + "\n")

    def write(self, data: str) -> None:
        """
        Show an error; the base class calls this for text that is no Python.
        """
        self.failed = True
        self.console.addError(data)

    @property
    def pending(self) -> int:
        """
        The number of Deferreds that have been shown and have not fired yet.
        """
        return len(self._pending)

    def whenIdle(self) -> Deferred[None]:
        """
        @return: fires with L{None} when no Deferred that was shown is pending.
            It does not fail.
        """
        if not self._pending:
            return succeed(None)
        waiter: Deferred[None] = Deferred()
        self._idle.append(waiter)
        return waiter

    # Inside

    def _exit(self, status: object) -> None:
        if status is None or isinstance(status, int):
            self.console.quit((status or 0) & 0xFF)
        else:
            self.write(f"{status}\n")
            self.console.quit(1)

    @contextlib.contextmanager
    def _streams(self) -> Iterator[None]:
        """
        Give Python's own streams to the session while a line runs. Reading from the process's
        own standard input would stop the balancer, and so would closing it, as exit() of the
        site module does.
        """
        before = (sys.stdin, sys.stdout, sys.stderr, sys.displayhook, sys.excepthook)
        output = ConsoleStream(self.console)
        sys.stdin, sys.stdout, sys.stderr = io.StringIO(), output, output
        # With the original hook the base class hands tracebacks to write().
        sys.displayhook, sys.excepthook = self._display, sys.__excepthook__
        self._running = True
        try:
            yield
        finally:
            self._running = False
            sys.stdin, sys.stdout, sys.stderr, sys.displayhook, sys.excepthook = before

    def _display(self, value: object) -> None:
        if isinstance(value, Deferred) and value.called and not value.paused:
            # It is there already, as if it had been returned or raised.
            results: list[object] = []
            value.addCallbacks(results.append, self._failedAtOnce)
            value = results[0] if results else None
        if value is None:
            return
        self.locals["_"] = value
        if isinstance(value, Deferred):
            self._displayDeferred(value)
        else:
            self.console.addOutput(f"{valueText(value)}\n")

    def _displayDeferred(self, deferred: Deferred[Any]) -> None:
        known = self._pending.get(id(deferred))
        if known is not None:
            self.console.addOutput(f"<Deferred #{known[0]}>\n")
            return
        number = self._numbered
        self._numbered += 1
        self._pending[id(deferred)] = (number, deferred)
        self.console.addOutput(f"<Deferred #{number}>\n")
        deferred.addCallbacks(
            self._fired,
            self._failed,
            callbackArgs=(number, id(deferred)),
            errbackArgs=(number, id(deferred)),
        )

    def _fired(self, result: object, number: int, key: int) -> object:
        self._settled(f"Deferred #{number} called back: {_shown(result)}\n", key)
        return result

    def _failed(self, failure: Failure, number: int, key: int) -> None:
        """
        Show a failure. That handles it: it does not go to the log as an unhandled one.
        """
        self.failed = True
        what = f"{type(failure.value).__name__}: {failure.getErrorMessage()}"
        self._settled(f"Deferred #{number} failed: {what}\n", key)

    def _failedAtOnce(self, failure: Failure) -> None:
        error = failure.value
        assert error is not None  # noqa: S101 - a failure has one
        self.write(f"{errorText(error, None, 1)}\n")

    def _settled(self, text: str, key: int) -> None:
        del self._pending[key]
        self.console.addOutput(text, isAsync=not self._running)
        if not self._pending:
            waiters, self._idle = self._idle, []
            for waiter in waiters:
                waiter.callback(None)


def _shown(value: object) -> str:
    try:
        return valueText(value)
    except Exception as error:  # noqa: BLE001 - no line runs that could be told
        return f"<a {type(value).__name__} that can't be shown: {type(error).__name__}>"


class ConsoleStream(io.TextIOBase):
    """
    A L{Console} as a file for output.
    """

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console

    def writable(self) -> bool:
        """
        Tell that output can be written.
        """
        return True

    def write(self, data: str) -> int:
        self._console.addOutput(data)
        return len(data)
