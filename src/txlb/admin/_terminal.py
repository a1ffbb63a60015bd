"""
Sessions at a terminal: a prompt with history, colours and line editing.

Conch's manhole does most of it. The differences: input is not kept without bound, a paste
is not coloured letter by letter, names with letters beyond ASCII can be typed, output that
comes by itself leaves the line that is being typed as it was, and the client's screen is
not cleared.
"""

from __future__ import annotations

import codecs
import textwrap
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any

from twisted.conch.insults import insults
from twisted.conch.manhole import ColoredManhole
from twisted.conch.recvline import RecvLine
from twisted.internet.protocol import connectionDone

from txlb.admin._completion import Completer, beginning
from txlb.admin._console import MAX_LINE, Acting, Interpreter
from txlb.admin._plain import STOPPING, Output

#: Lines that the history keeps.
MAX_HISTORY = 200

#: The longest escape sequence, in bytes.
MAX_ESCAPE = 64

#: The longest statement that is coloured anew with every key, in bytes.
MAX_COLOURED = 1024

#: The most completions that are shown.
MAX_CHOICES = 100

CTRL_H = b"\x08"

BANNER = (
    "txlb: a Python prompt inside the balancer. Bound are {names}. help() tells more, Tab "
    "completes. Leave with Ctrl-D.\n"
)


class TerminalSession:
    """
    Connects an ssh session to a prompt.

    @param output: the client's end.
    @param namespace: makes the names that are bound, see L{PlainSession}.
    @param log: is called with each line before it is run.
    @param size: the terminal's columns and rows.
    @param acting: makes the context in which each line runs.
    """

    def __init__(
        self,
        output: Output,
        namespace: Callable[[Callable[[str], None]], Mapping[str, object]],
        log: Callable[[str], None],
        size: tuple[int, int],
        acting: Acting = nullcontext,
    ) -> None:
        self._output = output
        self._status = 0
        self._ended = False
        self._terminal = Terminal(lambda: Prompt(namespace, log, self._quit, size, acting))
        self._terminal.makeConnection(self)

    # From the client

    def dataReceived(self, data: bytes) -> None:
        """
        Take keys.
        """
        if not self._ended:
            self._terminal.dataReceived(data)

    def eofReceived(self) -> None:
        """
        End the session, as there are no more keys.
        """
        self._quit(0)

    def closed(self) -> None:
        """
        Stop, as the client has gone.
        """
        if not self._ended:
            self._ended = True
            self._terminal.connectionLost(connectionDone)

    def stopping(self, why: str = STOPPING) -> None:
        """
        End the session, as the balancer does.

        @param why: the reason, for the client.
        """
        if not self._ended:
            self._terminal.write(f"\n{why[:1].upper()}{why[1:]}.")
            self._quit(1)

    def resized(self, width: int, height: int) -> None:
        """
        Take another size of the window.
        """
        if not self._ended:
            self._terminal.terminalProtocol.resized(width, height)

    # From the terminal, whose transport this is

    def write(self, data: bytes) -> None:
        """
        Write to the screen.
        """
        if not self._ended:
            self._output.write(data)

    def loseConnection(self) -> None:
        """
        End the session, as the terminal is left.
        """
        if not self._ended:
            self._ended = True
            self._output.finish(self._status)

    def _quit(self, status: int) -> None:
        if not self._ended:
            self._status = status
            self._terminal.loseConnection()


class Terminal(insults.ServerProtocol):
    """
    The screen and the keyboard.
    """

    # Conch declares these as not there yet.
    transport: Any
    terminalProtocol: Any

    def dataReceived(self, data: bytes) -> None:
        """
        Take bytes from the keyboard, or of a paste.
        """
        prompt = self.terminalProtocol
        prompt.pasting = True
        super().dataReceived(data[:-1])
        prompt.pasting = False
        super().dataReceived(data[-1:])
        if self.state == b"bracket-escaped" and len(self.escBuf) > MAX_ESCAPE:
            self.state = b"data"
            self.escBuf = []

    def loseConnection(self) -> None:
        """
        Leave the client's terminal as it was, without clearing its screen as
        Conch would.
        """
        self.resetModes([insults.modes.IRM])
        self.nextLine()
        self.transport.loseConnection()


class Prompt(ColoredManhole):
    """
    The prompt that a terminal shows; the L{txlb.admin._console.Console} of an
    L{Interpreter}.

    @ivar pasting: whether more keys have come already.
    """

    # Not a ManholeInterpreter of Conch, but it has the methods that Conch calls.
    interpreter: Any

    def __init__(
        self,
        namespace: Callable[[Callable[[str], None]], Mapping[str, object]],
        logLine: Callable[[str], None],
        leave: Callable[[int], None],
        size: tuple[int, int],
        acting: Acting,
    ) -> None:
        super().__init__()
        self._makeNamespace = namespace
        self._logLine = logLine
        self._leave = leave
        self._acting = acting
        self._ended = False
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self.pasting = False
        self.width, self.height = size

    def connectionMade(self) -> None:
        """
        Greet, and wait for keys.
        """
        bound = self._makeNamespace(self.addOutput)
        self._names = [name for name in bound if not name.startswith("_")]
        super().connectionMade()
        self.interpreter = Interpreter(self, bound, self._acting)
        self.keyHandlers[CTRL_H] = self.handle_BACKSPACE

    def connectionLost(self, reason: object) -> None:
        """
        Stop, as the terminal is gone.
        """
        self._ended = True

    def initializeScreen(self) -> None:
        """
        Greet below what is on the screen.
        """
        self.terminal.write(BANNER.format(names=", ".join(self._names)))
        self.terminal.write(self.ps[self.pn])
        self.setInsertMode()

    def resized(self, width: int, height: int) -> None:
        """
        Take another size of the window.
        """
        self.width, self.height = width, height

    # Keys

    def keystrokeReceived(self, keyID: bytes, modifier: object) -> None:
        """
        Take a key, or one byte of a character.
        """
        if self._ended:
            return
        handler = self.keyHandlers.get(keyID)
        if handler is not None:
            self._decoder.reset()
            handler()
        elif len(keyID) == 1 and keyID >= b" ":
            for character in self._decoder.decode(keyID):
                if character.isprintable():
                    self.characterReceived(character.encode("utf-8"), False)

    def characterReceived(self, ch: bytes, moreCharactersComing: bool) -> None:
        """
        Add a character to the line.
        """
        if len(self.lineBuffer) >= MAX_LINE:
            self.terminal.write(b"\a")
        elif moreCharactersComing or not self._worthColouring():
            RecvLine.characterReceived(self, ch, moreCharactersComing)
        else:
            try:
                super().characterReceived(ch, False)
            except (SyntaxError, UnicodeError, IndexError):
                # The line has no colours as it stands, but the character is in it.
                self.terminal.write(ch)

    def _worthColouring(self) -> bool:
        """
        Whether to colour the line. Colouring draws the line anew, which works within one row
        of the screen, and it reads the whole statement, which takes time.
        """
        fits = len(self.ps[self.pn]) + len(self.lineBuffer) + 1 < self.width
        size = sum(map(len, self.interpreter.buffer)) + len(self.lineBuffer)
        return not self.pasting and fits and size <= MAX_COLOURED

    def handle_TAB(self) -> None:
        """
        Complete what is before the cursor. Before the first word of a line, and in a paste,
        move on to the next multiple of four columns.
        """
        before = b"".join(self.lineBuffer[: self.lineBufferIndex]).decode("utf-8", "replace")
        if self.pasting or not before.strip():
            for _ in range(self.TABSTOP - self.lineBufferIndex % self.TABSTOP):
                self.characterReceived(b" ", True)
            return
        part, choices = Completer(self.interpreter.locals).complete(before)
        common = beginning(choices)
        if len(common) > len(part):
            self._deliverBuffer(common[len(part) :].encode("utf-8"))
        elif len(choices) > 1:
            self.addOutput(_columns(choices, self.width), isAsync=True)
        else:
            self.terminal.write(b"\a")

    def handle_UP(self) -> None:
        """
        Show the line before, of the history.
        """
        super().handle_UP()
        self._trimHistory()

    def handle_RETURN(self) -> None:
        """
        Run the line, as it is complete.
        """
        super().handle_RETURN()
        self._trimHistory()

    def _trimHistory(self) -> None:
        excess = len(self.historyLines) - MAX_HISTORY
        if excess > 0:
            del self.historyLines[:excess]
            self.historyPosition = max(self.historyPosition - excess, 0)

    def _deliverBuffer(self, buf: bytes) -> None:
        characters = [each.encode("utf-8") for each in buf.decode("utf-8", "replace")]
        for number, character in enumerate(characters, 1):
            self.characterReceived(character, number < len(characters))

    def lineReceived(self, line: bytes) -> None:
        """
        Run a line.
        """
        if line.strip():
            self._logLine(line.decode("utf-8", "replace"))
        self.pn = int(self.interpreter.push(line))
        if not self._ended:
            if self._needsNewline():
                self.terminal.nextLine()
            self.terminal.write(self.ps[self.pn])

    # The interpreter's console

    def addOutput(self, data: str, isAsync: Any = False) -> None:
        """
        Show a text. Output that comes by itself goes above the line that is being typed.
        """
        if self._ended:
            return
        text = data.encode("utf-8", "backslashreplace")
        if not isAsync:
            self.terminal.write(text)
            return
        self.terminal.write(b"\r")
        self.terminal.eraseLine()
        self.terminal.write(text)
        if self._needsNewline():
            self.terminal.nextLine()
        self.drawInputLine()
        behind = len(self.lineBuffer) - self.lineBufferIndex
        if behind:
            self.terminal.cursorBackward(behind)

    def addError(self, data: str) -> None:
        self.addOutput(data)

    def quit(self, status: int = 0) -> None:
        self._ended = True
        self._leave(status)

    def handle_QUIT(self) -> None:
        """
        Leave.
        """
        self.quit()


def _columns(choices: Sequence[str], width: int) -> str:
    """
    Show choices side by side, up to a bound.
    """
    shown = [each.rpartition(".")[2] for each in choices[:MAX_CHOICES]]
    if len(choices) > len(shown):
        shown.append(f"and {len(choices) - len(shown)} more")
    lines = textwrap.wrap("  ".join(shown), max(width, 20), break_on_hyphens=False)
    return "".join(f"{line}\n" for line in lines)
