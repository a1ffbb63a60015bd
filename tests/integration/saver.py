"""
Saves a configuration file, for tests that kill it, watch it or leave it no room.

C{python -m tests.integration.saver once FILE} saves one edit.
C{python -m tests.integration.saver killed FILE TIMES} saves in a process that is
killed at a random moment, that often, and looks at the file each time.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time

from tests.fired import fired
from txlb.application import ConfigurationFile, LoadBalancedService
from txlb.config import loadConfiguration
from txlb.errors import TxlbError
from txlb.manager import proxyManagerFactory

#: Seconds in which a process is killed.
SHORTEST, LONGEST = 0.002, 0.05


def opened(path: str) -> tuple[LoadBalancedService, ConfigurationFile]:
    loaded = loadConfiguration(path)
    balancer = LoadBalancedService(proxyManagerFactory(loaded.services))
    return balancer, ConfigurationFile(balancer, loaded)


def once(path: str) -> int:
    """
    @return: the exit status: 1 where it could not be saved.
    """
    balancer, file = opened(path)
    # Not one of those that L{killed} leaves, or there would be nothing to save.
    balancer.manager.setWeight("web", "main", "host0", 9)
    began = time.perf_counter()
    try:
        fired(file.save())
    except TxlbError as error:
        print(error)
        return 1
    print(f"saved in {1000 * (time.perf_counter() - began):.1f} ms")
    return 0


def killed(path: str, times: int) -> int:
    """
    @return: the exit status: 1 where the file was neither of the two.
    """
    balancer, file = opened(path)
    contents = []
    for weight in (1, 7):
        balancer.manager.setWeight("web", "main", "host0", weight)
        contents.append(file.loaded.render(balancer.manager.services.values()))
    source = random.Random()
    found = [0, 0]
    left = 0
    for _ in range(times):
        child = os.fork()
        if not child:
            _saveForEver(path)
        time.sleep(source.uniform(SHORTEST, LONGEST))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        with open(path, "rb") as there:
            data = there.read()
        if data not in contents:
            print(f"after {sum(found)} times there are {len(data)} bytes of something else")
            return 1
        found[contents.index(data)] += 1
        left += any(name.endswith(".saving") for name in os.listdir(os.path.dirname(path)))
    fired(file.reload())
    names = os.listdir(os.path.dirname(path))
    print(
        f"killed {times} times: {found[0]} times the one file was there and {found[1]} times "
        f"the other, whole; {left} times in the middle of writing; "
        f"{len([name for name in names if '.xml-' in name])} old files are kept"
    )
    return 0


def _saveForEver(path: str) -> None:
    """
    Save one edit after the other until somebody ends it.
    """
    try:
        balancer, file = opened(path)
        # As long as a test at most, should nobody come.
        for number in range(100_000):
            balancer.manager.setWeight("web", "main", "host0", 7 if number % 2 else 1)
            fired(file.save())
    finally:
        os._exit(1)


if __name__ == "__main__":
    what, where, *more = sys.argv[1:]
    sys.exit(once(where) if what == "once" else killed(where, int(more[0])))
