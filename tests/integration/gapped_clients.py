"""
A host that answers with the address that it sees, and clients that write down when each of
their requests ended, and how. Run it with C{host ADDRESS}, or with C{clients ADDRESS THREADS FILE}.
"""

from __future__ import annotations

import json
import socket
import socketserver
import sys
import threading
import time

#: Seconds that a client waits to be connected, and for its answer.
LATE = 0.3

#: Seconds between two requests of a client.
PAUSE = 0.02


class Answer(socketserver.BaseRequestHandler):
    """
    Answers a line with the address from which it came.
    """

    def handle(self) -> None:
        """
        See L{socketserver.BaseRequestHandler}.
        """
        self.request.settimeout(60)
        try:
            if self.request.recv(100):
                self.request.sendall(f"{self.client_address[0]}\n".encode())
        except OSError:
            pass


class Host(socketserver.ThreadingTCPServer):
    """
    The host.
    """

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 512


def ask(address: tuple[str, int]) -> tuple[str, int]:
    """
    Make a request.

    @return: how it ended, and the last number of the address that the host saw.
    """
    try:
        with socket.create_connection(address, timeout=LATE) as sock:
            sock.sendall(b"?\n")
            answer = b"".join(iter(lambda: sock.recv(100), b""))
    except TimeoutError:
        return "late", 0
    except ConnectionRefusedError:
        return "refused", 0
    except ConnectionResetError:
        return "reset", 0
    except OSError as error:
        return str(error), 0
    if not answer:
        return "closed", 0
    return "ok", int(answer.strip().rpartition(b".")[2])


def askOn(address: tuple[str, int], path: str) -> None:
    """
    Make requests, and write down how they end.
    """
    with open(path, "a", buffering=1, encoding="utf-8") as file:
        while True:
            begun = time.monotonic()
            result, machine = ask(address)
            file.write(f"{json.dumps([begun, time.monotonic(), result, machine])}\n")
            time.sleep(PAUSE)


def main(kind: str, address: str, *more: str) -> None:
    """
    Be a host, or clients.
    """
    host, _, port = address.rpartition(":")
    place = host, int(port)
    if kind == "host":
        with Host(place, Answer) as server:
            print(f"listens at {address}", flush=True)
            server.serve_forever()
    threads = [
        threading.Thread(target=askOn, args=(place, more[1]), daemon=True)
        for _ in range(int(more[0]))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main(*sys.argv[1:])
