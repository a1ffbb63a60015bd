"""
What runs in a namespace of its own: hosts that say their names, and a program beside
them. Run it with C{name=address:port} for each host, C{--}, and the program with its
arguments. With C{--forbid-IPv6} before the hosts the program gets no IPv6 sockets, as
under systemd's C{RestrictAddressFamilies}.

A host sends its name to each client, and holds the connection until the client closes
it.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import selectors
import signal
import socket
import struct
import subprocess
import sys
import threading
from typing import Any

#: From linux/prctl.h, linux/seccomp.h and linux/bpf_common.h.
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
LOAD, EQUALS, RETURN = 0x20, 0x15, 0x06
ALLOW, ERRNO = 0x7FFF0000, 0x00050000

#: The number of socket(2), by machine.
SOCKET = {"x86_64": 41, "aarch64": 198}


class Host:
    """
    A host that says its name.
    """

    def __init__(self, name: str, address: str) -> None:
        host, _, port = address.rpartition(":")
        self._name = name.encode("ascii")
        # With the number of its interface, if it has a zone.
        found = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)
        self._listener = socket.socket(found[0][0])
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind(found[0][4])
        self._listener.listen(512)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)

    def serve(self) -> None:
        """
        Serve until the process ends.
        """
        while True:
            for key, _ in self._selector.select():
                sock: Any = key.fileobj
                if sock is self._listener:
                    client, _ = sock.accept()
                    with contextlib.suppress(ConnectionError):
                        client.sendall(self._name + b"\n")
                    self._selector.register(client, selectors.EVENT_READ)
                elif not _received(sock):
                    self._selector.unregister(sock)
                    sock.close()


def _received(sock: socket.socket) -> bytes:
    try:
        return sock.recv(65536)
    except ConnectionError:
        return b""


def forbidIPv6() -> None:
    """
    Let socket(2) fail with C{EAFNOSUPPORT} for IPv6 from now on, here and in children.
    """
    error = ERRNO | 97
    program = b"".join(
        struct.pack("HBBI", *each)
        for each in (
            (LOAD, 0, 0, 0),  # the number of the call
            (EQUALS, 0, 3, SOCKET[os.uname().machine]),
            (LOAD, 0, 0, 16),  # the low half of its first argument
            (EQUALS, 0, 1, socket.AF_INET6),
            (RETURN, 0, 0, error),
            (RETURN, 0, 0, ALLOW),
        )
    )
    buffer = ctypes.create_string_buffer(program)
    filter_ = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(buffer))
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    if prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or prctl(
        PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.create_string_buffer(filter_)
    ):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def main(arguments: list[str]) -> int:
    """
    @return: the exit status of the program.
    """
    forbidding = arguments[0] == "--forbid-IPv6"
    end = arguments.index("--")
    for each in arguments[forbidding:end]:
        name, _, address = each.partition("=")
        threading.Thread(target=Host(name, address).serve, daemon=True).start()
    child = subprocess.Popen(
        arguments[end + 1 :],
        preexec_fn=forbidIPv6 if forbidding else None,  # noqa: PLW1509 - no lock is needed by it
    )
    signal.signal(signal.SIGTERM, lambda *_: child.terminate())
    return child.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
