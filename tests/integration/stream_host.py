"""
A host that sends as many bytes as the first line asks for, and then sends back what it gets.
Run it with a port, or the path of a UNIX socket.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys

#: What it sends, again and again. Its length is no power of two times a small number, so that a
#: part that is lost or comes twice shows.
BLOCK = bytes(number * 7 % 251 for number in range(65521))


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """
    Serve one client.
    """
    with contextlib.suppress(OSError):
        left = int(await reader.readline() or b"0")
        while left > 0:
            part = BLOCK[:left]
            writer.write(part)
            left -= len(part)
            await writer.drain()
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


async def main(where: str) -> None:
    """
    Listen, and serve for ever.
    """
    if where.isdecimal():
        server = await asyncio.start_server(serve, "127.0.0.1", int(where), backlog=1000)
    else:
        server = await asyncio.start_unix_server(serve, where, backlog=1000)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
