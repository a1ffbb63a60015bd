"""
A relay between a program and what it asks, which can go silent.
"""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress

from tests.integration.support._ports import freePorts


class Gateway:
    """
    Relays connections to a port of the loopback interface, in a thread. While it is silent it
    keeps connections and passes nothing on, as a network does that is cut.

    @param to: the port.

    @ivar port: its own port.
    """

    def __init__(self, to: int) -> None:
        self._to = to
        (self.port,) = freePorts(1)
        self._loop = asyncio.new_event_loop()
        self._open = asyncio.Event()
        self._open.set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        serving = asyncio.start_server(self._relay, "127.0.0.1", self.port)
        asyncio.run_coroutine_threadsafe(serving, self._loop).result(30)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            await self._open.wait()
            there, back = await asyncio.open_connection("127.0.0.1", self._to)
            self._writers |= {writer, back}
            await asyncio.gather(self._pass(reader, back), self._pass(there, writer))
            self._writers -= {writer, back}
        writer.close()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                await self._open.wait()
                writer.write(data)
                await writer.drain()
        with suppress(OSError):
            writer.close()

    def silent(self) -> None:
        """
        Pass nothing on.
        """
        self._loop.call_soon_threadsafe(self._open.clear)

    def drop(self) -> None:
        """
        Pass nothing on, and end all connections.
        """
        self.silent()
        self._loop.call_soon_threadsafe(self._dropAll)

    def _dropAll(self) -> None:
        for each in self._writers:
            each.transport.abort()

    def pass_(self) -> None:
        """
        Pass everything on again.
        """
        self._loop.call_soon_threadsafe(self._open.set)

    def stop(self) -> None:
        """
        End it.
        """
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(30)
