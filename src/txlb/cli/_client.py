"""
The connection to a balancer.
"""

from __future__ import annotations

import errno
import json
import os
import socket
import stat
import time
from typing import Any, Self

from txlb.cli._command import NO_ANSWER, NO_BALANCER, WRONG, Failed
from txlb.errors import Remedy, remedyLines
from txlb.wire import REMEDIES, BoxError, BoxReader, encodeBox

#: Seconds that an answer may take.
PATIENCE = 30.0

#: The most that all pages of an answer may hold together, in characters.
MAX_ANSWER = 256 << 20

#: Bytes of the address of a UNIX socket on Linux (unix(7)).
MAX_ADDRESS = 107

Row = dict[str, Any]

_REMEDIES = {
    errno.ENOENT: "there is no such socket; is the balancer running?",
    errno.ECONNREFUSED: "no process listens there any more; is the balancer running?",
    errno.EACCES: "permission denied; the socket is for the balancer's user and root",
    errno.ENOTSOCK: "that is no socket",
}


class Client:
    """
    A connection to a balancer. Use it as a context manager.

    @param path: its control socket.
    @param patience: seconds that each answer may take.
    @raise Failed: it can't be reached.
    """

    def __init__(self, path: str, patience: float = PATIENCE) -> None:
        self.path = path
        self._patience = patience
        self._boxes = BoxReader()
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._sock.settimeout(patience)
        try:
            _connect(self._sock, path)
        except OSError as error:
            self._sock.close()
            reason = _REMEDIES.get(error.errno or 0, error.strerror or str(error))
            if error.errno == errno.ECONNREFUSED:
                # So the system says of a file and of a folder, too.
                reason = _whatIsThere(path) or reason
            raise Failed(f"{path}: {reason}", NO_BALANCER) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_raised: object) -> None:
        self.close()

    def close(self) -> None:
        """
        Close the connection.
        """
        self._sock.close()

    def rows(self, command: str, **values: str) -> list[Row]:
        """
        Give a command of the list, see L{txlb.admin.COMMANDS}.

        @param command: its name in AMP.
        @return: its rows, all pages of them.
        @raise Failed: it was refused, or there is no answer.
        """
        found: list[Row] = []
        size = 0
        answer = self.call(command, **values)
        while True:
            size += len(answer.get("rows", ""))
            if size > MAX_ANSWER:
                raise Failed(f"{self.path}: the answer has no end", NO_ANSWER)
            try:
                found.extend(json.loads(answer["rows"]))
            except (KeyError, ValueError):
                raise Failed(f"{self.path}: the answer is not one of txlb's", NO_ANSWER) from None
            if answer.get("more") != "True":
                return found
            answer = self.call("More")

    def call(self, command: str, **values: str) -> dict[str, str]:
        """
        Ask once.

        @return: the answer's box.
        @raise Failed: it was refused, or there is no answer.
        """
        try:
            data = encodeBox({"_command": command, "_ask": "1", **values})
        except BoxError as error:
            raise Failed(str(error)) from None
        until = time.monotonic() + self._patience
        try:
            self._sock.settimeout(self._patience)
            self._sock.sendall(data)
            box = self._receive(until)
        except TimeoutError:
            raise Failed(f"{self.path}: no answer within {self._patience:g} s", NO_ANSWER) from None
        except (OSError, BoxError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise Failed(f"{self.path}: {reason}", NO_ANSWER) from None
        if "_error" in box:
            raise _refusal(box)
        return box

    def _receive(self, until: float) -> dict[str, str]:
        while True:
            self._sock.settimeout(max(until - time.monotonic(), 0.001))
            data = self._sock.recv(65_536)
            if not data:
                raise Failed(f"{self.path}: the balancer has closed the connection", NO_ANSWER)
            for box in self._boxes.feed(data):
                return box


def _connect(sock: socket.socket, path: str) -> None:
    """
    Connect to a socket, also at a path that is longer than an address may be: then by the
    socket's name in its folder, as Linux has it.
    """
    if len(os.fsencode(path)) <= MAX_ADDRESS:
        sock.connect(path)
        return
    folder, name = os.path.split(path)
    descriptor = os.open(folder, getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY)
    try:
        sock.connect(f"/proc/self/fd/{descriptor}/{name}")
    finally:
        os.close(descriptor)


def _whatIsThere(path: str) -> str:
    """
    Describe a file that has the name of a socket and is none; empty if it is one.
    """
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return ""
    if stat.S_ISSOCK(mode):
        return ""
    return "that is a folder and no socket" if stat.S_ISDIR(mode) else "that is no socket"


def _refusal(box: dict[str, str]) -> Failed:
    message = box.get("_error_description", "")
    if box.get("_error_code") == "UNHANDLED":
        message = f"the balancer that runs is too old for this: {message}"
    if REMEDIES in box:
        message = _inShell(message, box[REMEDIES])
    return Failed(message or box.get("_error_code", "refused"), WRONG)


def _inShell(message: str, data: str) -> str:
    """
    Name the remedies of an error as a shell spells them, in place of the lines at its end
    that name them as AMP does.

    @param data: the remedies, as the balancer sends them.
    """
    try:
        remedies = [Remedy(*map(str, each)) for each in json.loads(data)]
    except (ValueError, TypeError):
        return message
    lines = message.split("\n")
    lines[len(lines) - len(remedies) :] = remedyLines(remedies, lambda each: each.shell)
    return "\n".join(lines)


def environmentColours(stream: Any) -> bool:
    """
    Whether what goes to a stream is to be coloured: on a terminal, unless the
    environment says otherwise (U{https://no-color.org}).
    """
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return bool(stream.isatty())
