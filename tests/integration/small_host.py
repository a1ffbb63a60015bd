"""
A host that says its name to whoever asks, and tells how many asked at once. Run it
with a port and a name.
"""

from __future__ import annotations

import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

#: Seconds that an answer takes.
WORK = 0.02


class Answers(BaseHTTPRequestHandler):
    """
    Answers C{/} with the name, and C{/most} with the greatest number at once.
    """

    name = ""
    active = most = 0
    lock = threading.Lock()

    def do_GET(self) -> None:
        """
        See L{BaseHTTPRequestHandler}.
        """
        kind = type(self)
        with self.lock:
            kind.active += 1
            kind.most = max(kind.most, kind.active)
        if self.path == "/most":
            body = str(kind.most).encode()
        else:
            time.sleep(WORK)
            body = f"{self.name}\n".encode()
        # Before the answer: whoever has it may ask anew, and another with it.
        with self.lock:
            kind.active -= 1
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - its own name
        """
        Say nothing.
        """


class Server(ThreadingHTTPServer):
    """
    One with a backlog for everybody.
    """

    daemon_threads = True
    request_queue_size = 512


if __name__ == "__main__":
    Answers.name = sys.argv[2]
    Server(("127.0.0.1", int(sys.argv[1])), Answers).serve_forever()
