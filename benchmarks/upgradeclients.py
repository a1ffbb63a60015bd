"""
Clients that talk through a balancer while its processes are killed or fail, to a host that sends
everything back. Run it with a port and numbers of clients as in C{words=200 bulk=20}.

Those of C{words} send a few bytes now and then. Those of C{bulk} send much, and read it slowly, so
that bytes wait in the balancer. Each byte that comes back is compared. A client whose connection
ends is lost, and opens no other one.

When all have had an answer it writes C{open}. For a line of standard input every client has to send
and get something once more, or is lost, and then a JSON object is written: how many are C{served}
and C{lost}, and what was C{wrong}.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys

#: Bytes of a client of each kind that are on their way, and seconds between two of its rounds.
SIZES = {"words": 16, "bulk": 1_000_000}
PAUSES = {"words": 0.3, "bulk": 0.2}

#: Bytes that a client reads at once, so that others have their turn.
PART = 65536

#: Seconds for each answer.
PATIENCE = 60.0


class Client:
    """
    One connection.

    @ivar rounds: how often it has had everything back.
    @ivar end: why it is lost; empty while it is not.
    @ivar wrong: what was wrong; empty for nothing.
    """

    def __init__(self, kind: str, chance: random.Random) -> None:
        self._size, self._pause = SIZES[kind], PAUSES[kind]
        self._block = chance.randbytes(self._size)
        self._chance = chance
        self.rounds = 0
        self.end = ""
        self.wrong = ""

    async def run(self, port: int) -> None:
        """
        Talk until the connection ends.
        """
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=PART)
            writer.write(b"0\n")
            while not self.wrong:
                await asyncio.gather(self._send(writer), self._receive(reader))
                self.rounds += 1
                await asyncio.sleep(self._pause * self._chance.random())
        except (OSError, EOFError) as error:
            self.end = repr(error)
        except TimeoutError:
            self.wrong = "an answer does not come"

    async def _send(self, writer: asyncio.StreamWriter) -> None:
        for at in range(0, self._size, PART):
            writer.write(self._block[at : at + PART])
            await writer.drain()

    async def _receive(self, reader: asyncio.StreamReader) -> None:
        at = 0
        while at < self._size:
            data = await asyncio.wait_for(reader.read(self._size - at), PATIENCE)
            if not data:
                raise EOFError("the connection has ended")
            if data != self._block[at : at + len(data)]:
                self.wrong = f"other bytes come back from byte {at} of round {self.rounds}"
                raise EOFError(self.wrong)
            at += len(data)
            await asyncio.sleep(self._pause / 10)


async def main(port: int, numbers: list[str]) -> None:
    """
    Run clients until standard input ends.
    """
    clients: list[Client] = []
    tasks: list[asyncio.Task[None]] = []
    for kind, _, count in (each.partition("=") for each in numbers):
        for number in range(int(count)):
            clients.append(Client(kind, random.Random(f"{kind} {number}")))
            tasks.append(asyncio.ensure_future(clients[-1].run(port)))

    async def more(rounds: list[int]) -> None:
        """
        Wait until each client has had another round, or none comes.
        """
        for client, before in zip(clients, rounds, strict=True):
            while client.rounds == before and not client.end and not client.wrong:
                await asyncio.sleep(0.005)

    await more([0] * len(clients))
    print("open", flush=True)
    loop = asyncio.get_running_loop()
    while await loop.run_in_executor(None, sys.stdin.readline):
        # A round that is under way may have had its answer before; the next one has not.
        for _ in range(2):
            await more([client.rounds for client in clients])
        told = {
            "served": sum(not client.end and not client.wrong for client in clients),
            "lost": sum(bool(client.end) for client in clients),
            "wrong": [client.wrong for client in clients if client.wrong],
        }
        print(json.dumps(told), flush=True)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2:]))
