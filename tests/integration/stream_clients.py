"""
Clients of C{stream_host.py}, which look at every byte. Run it with a port or the path of a UNIX
socket, and with numbers of clients as in C{downloads=4 uploads=4 short=5 idle=100}. When its
standard input ends, the clients end what they have begun, and it writes what they have seen: a
JSON object with the number of rounds of each kind, and a list of what was wrong.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import random
import sys
import time

from tests.integration.stream_host import BLOCK

#: Bytes of a download and of an upload.
DOWNLOAD, UPLOAD = 20_000_000, 3_000_000

#: Seconds between two new connections of a client, and the longest between two words of an idle
#: one.
PAUSE, SILENCE = 0.02, 0.3


def downloaded(size: int) -> bytes:
    """
    Compute what a download gives.
    """
    digest = hashlib.sha256()
    while size > 0:
        digest.update(BLOCK[:size])
        size -= len(BLOCK)
    return digest.digest()


class Clients:
    """
    All of them.
    """

    def __init__(self, where: str) -> None:
        self._where = where
        self.over = False
        self.rounds: dict[str, int] = {}
        self.wrong: list[str] = []
        self.longest = 0.0
        self._wanted = downloaded(DOWNLOAD)

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._where.isdecimal():
            return await asyncio.open_connection("127.0.0.1", int(self._where))
        return await asyncio.open_unix_connection(self._where)

    async def run(self, kind: str) -> None:
        """
        Be one client.
        """
        while not self.over:
            try:
                reader, writer = await self._open()
                wrong = await getattr(self, kind)(reader, writer)
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()
            except (OSError, asyncio.IncompleteReadError) as error:
                wrong = repr(error)
            if wrong:
                self.wrong.append(f"{kind}: {wrong}")
            self.rounds[kind] = self.rounds.get(kind, 0) + 1

    async def downloads(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
        writer.write(b"%d\n" % DOWNLOAD)
        digest, left = hashlib.sha256(), DOWNLOAD
        while left and (data := await reader.read(min(left, 65536))):
            digest.update(data)
            left -= len(data)
        return "" if digest.digest() == self._wanted else f"{left} bytes are missing, or others"

    async def uploads(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
        sent = random.randbytes(UPLOAD)

        async def send() -> None:
            writer.write(b"0\n")
            for at in range(0, len(sent), 50_000):
                writer.write(sent[at : at + 50_000])
                await writer.drain()
            writer.write_eof()

        sending = asyncio.ensure_future(send())
        # Slower than it can come, so that bytes wait everywhere.
        got = b""
        while data := await reader.read(100_000):
            got += data
            await asyncio.sleep(0)
        await sending
        return "" if got == sent else f"{len(got)} bytes have come back of {len(sent)}"

    async def short(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
        writer.write(b"100\n")
        writer.write_eof()
        got = await reader.read(-1)
        await asyncio.sleep(PAUSE)
        return "" if got == BLOCK[:100] else f"{len(got)} bytes have come"

    async def idle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
        writer.write(b"0\n")
        while not self.over:
            began = time.monotonic()
            word = random.randbytes(8)
            writer.write(word)
            if await reader.readexactly(8) != word:
                return "another word has come back"
            self.longest = max(self.longest, time.monotonic() - began)
            await asyncio.sleep(random.random() * SILENCE)
        return ""


async def main(where: str, numbers: list[str]) -> None:
    """
    Run them until standard input ends.
    """
    clients = Clients(where)
    tasks = []
    for kind, _, count in (each.partition("=") for each in numbers):
        tasks += [asyncio.ensure_future(clients.run(kind)) for _ in range(int(count))]
    print("running", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    clients.over = True
    await asyncio.gather(*tasks)
    seen = {"rounds": clients.rounds, "wrong": clients.wrong, "longest": clients.longest}
    print(json.dumps(seen), flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2:]))
