"""
A pool in a program of asyncio: policies, leases and retries, without Twisted's reactor.

    python asyncio_client.py 127.0.0.1:7001 127.0.0.1:7002 127.0.0.1:7003
"""

import asyncio
import sys
import time

from txlb.model import ProxyHost
from txlb.pool import Attempt, Failure, FailureKind, HostPool, Lease


async def connect(pool: HostPool) -> tuple[asyncio.StreamReader, asyncio.StreamWriter, Lease]:
    """
    Connect to a host of the pool, or to the next one if it can't be reached.
    """
    pool.advance(time.monotonic())
    step = pool.dial().start()
    while isinstance(step, Attempt):
        host, port = step.host.configured.ipOrHost, step.host.configured.port
        try:
            async with asyncio.timeout(step.deadline - time.monotonic()):
                streams = await asyncio.open_connection(host, port)
        except TimeoutError:
            step = step.failed(Failure(FailureKind.TIMEOUT))
        except OSError as error:
            step = step.failed(Failure(FailureKind.REFUSED, str(error)))
        except BaseException:
            step.cancel()
            raise
        else:
            return *streams, step.connected()
    # A client waits only in a pool with maxQueue.
    raise ConnectionError(f"no host could be reached: {step}")


async def get(pool: HostPool) -> str:
    """
    Get a page. The host is busy until the answer is complete.
    """
    reader, writer, lease = await connect(pool)
    with lease:
        writer.write(b"GET / HTTP/1.0\r\n\r\n")
        answer = await reader.read()
        lease.addOut(len(answer))
        writer.close()
    return answer.partition(b"\r\n\r\n")[2].decode().strip()


async def main(*addresses: str) -> None:
    """
    Get ten pages at a time from the hosts.
    """
    pool = HostPool("leastc", [ProxyHost.at(address, address) for address in addresses])
    for page in await asyncio.gather(*(get(pool) for _ in range(10))):
        print(page)
    for host in pool.hosts:
        print(f"{host.name}: {host.stateWord}, {host.counters.connections} requests")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
