"""
Clients that come at a steady rate, whether those before have been served or not. Run it with a port
and clients a second. Each asks C{tests.integration.stream_host} for some bytes, compares them, and
leaves. At the end of standard input it writes a JSON object: the number of C{clients}, their
C{rate}, the C{longest} seconds of one, and what was C{wrong}.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from dataclasses import asdict, dataclass, field

from tests.integration.stream_host import BLOCK

#: Bytes of an answer, seconds for it, and the most clients at a time.
SIZE, PATIENCE, MOST = 100, 60.0, 5000


@dataclass
class Seen:
    """
    What the clients have seen. The names are those of the result.
    """

    clients: int = 0
    rate: float = 0.0
    longest: float = 0.0
    wrong: list[str] = field(default_factory=list)


async def visit(port: int, seen: Seen) -> None:
    """
    Be one client.
    """
    began = time.monotonic()
    try:
        async with asyncio.timeout(PATIENCE):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"%d\n" % SIZE)
            writer.write_eof()
            got = await reader.read(-1)
            writer.close()
            await writer.wait_closed()
        if got != BLOCK[:SIZE]:
            seen.wrong.append(f"{len(got)} bytes have come")
    except (OSError, TimeoutError) as error:
        seen.wrong.append(repr(error))
    seen.clients += 1
    seen.longest = max(seen.longest, time.monotonic() - began)


async def main(port: int, rate: float) -> None:
    """
    Let clients come until standard input ends.
    """
    seen, tasks = Seen(), set[asyncio.Task[None]]()
    loop = asyncio.get_running_loop()
    over = loop.run_in_executor(None, sys.stdin.read)
    began, started = time.monotonic(), 0
    print("running", flush=True)
    while not over.done():
        due = int((time.monotonic() - began) * rate)
        while started < due and len(tasks) < MOST:
            started += 1
            task = asyncio.ensure_future(visit(port, seen))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        await asyncio.sleep(0.5 / rate)
    lasted = time.monotonic() - began
    while tasks:
        await asyncio.wait(tasks)
    seen.rate = seen.clients / lasted
    print(json.dumps(asdict(seen)), flush=True)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), float(sys.argv[2])))
