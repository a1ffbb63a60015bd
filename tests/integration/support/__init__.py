"""
What the integration tests share: a test case that starts and stops programs, web
hosts, clients that know every way to be rude, and measures of a process.
"""

from tests.integration.programs import PATIENCE, ROOT, Program, environment, waitUntil
from tests.integration.support._browser import PROGRAMS as BROWSER_PROGRAMS
from tests.integration.support._browser import Browser
from tests.integration.support._case import TWISTD, IntegrationTestCase, askTxlb, runTxlb
from tests.integration.support._clients import (
    RawHost,
    bodyOf,
    connect,
    connectUNIX,
    isClosedByPeer,
    readAll,
    readExactly,
    request,
    reset,
    source,
)
from tests.integration.support._gateway import Gateway
from tests.integration.support._load import Downloads, Load
from tests.integration.support._machines import Clients, Machine, Machines, Request, longestGap
from tests.integration.support._manhole import Manhole
from tests.integration.support._namespace import SILENT, inNamespace
from tests.integration.support._ports import freePorts, silentPort
from tests.integration.support._upgraded import StreamClients, UpgradeTestCase, isGone
from tests.integration.support._usage import (
    Usage,
    cpuSeconds,
    descriptorLimit,
    manyDescriptors,
    residentBytes,
    statusWord,
)
from tests.integration.support._web import server, sites

__all__ = [
    "BROWSER_PROGRAMS",
    "PATIENCE",
    "ROOT",
    "SILENT",
    "TWISTD",
    "Browser",
    "Clients",
    "Downloads",
    "Gateway",
    "IntegrationTestCase",
    "Load",
    "Machine",
    "Machines",
    "Manhole",
    "Program",
    "RawHost",
    "Request",
    "StreamClients",
    "UpgradeTestCase",
    "Usage",
    "askTxlb",
    "bodyOf",
    "connect",
    "connectUNIX",
    "cpuSeconds",
    "descriptorLimit",
    "environment",
    "freePorts",
    "inNamespace",
    "isClosedByPeer",
    "isGone",
    "longestGap",
    "manyDescriptors",
    "readAll",
    "readExactly",
    "request",
    "reset",
    "residentBytes",
    "runTxlb",
    "server",
    "silentPort",
    "sites",
    "source",
    "statusWord",
    "waitUntil",
]
