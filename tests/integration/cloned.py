"""
Applications that are cloned, as processes of twistd that a test starts and ends.
"""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tests.integration.programs import Program, environment, waitUntil
from tests.integration.support import TWISTD, IntegrationTestCase, Load, freePorts

#: The application: a page that names its process, and a long one.
TAC = """
import os, sys
from twisted.application import service
from twisted.web import resource, server
from txlb.cloning import CloningService, whoAmI

{before}

class Page(resource.Resource):
    isLeaf = True

    def render_GET(self, request):
        if request.path == b"/long":
            return b"x" * {long}
        return b"{release} %s %d" % (whoAmI().name.encode(), os.getpid())

application = service.Application("web")
site = server.Site(Page())
site.log = lambda request: None
CloningService(
    {endpoint!r}, site, processes={processes}, graceTime=5.0, folder={folder!r}, **{more!r}
).setServiceParent(application)
"""

LONG = 20_000_000


class CloningTestCase(IntegrationTestCase):
    processes = 2
    more: Mapping[str, Any] = MappingProxyType({})
    environment: Mapping[str, str] = MappingProxyType({})
    options: tuple[str, ...] = ()

    def setUp(self) -> None:
        super().setUp()
        self.place = str(self.shortFolder() / "run")
        self.port = freePorts(1)[0]
        self.endpoint = f"tcp:{self.port}:interface=127.0.0.1"

    def application(self, release: str = "first", before: str = "") -> Path:
        """
        Write the C{.tac}.
        """
        text = TAC.format(
            before=before,
            endpoint=self.endpoint,
            folder=self.place,
            long=LONG,
            more=dict(self.more),
            processes=self.processes,
            release=release,
        )
        return self.write("app.tac", text)

    def begin(self) -> Program:
        """
        Start it, and wait until all its clones have joined, and a process stands by if one
        is to.
        """
        tac = self.application()
        environ = environment(**self.environment)
        self.program = Program((*TWISTD, *self.options, "-n", "-y", tac), self.folder, environ)
        self.addCleanup(self.end)
        waitUntil(lambda: len(self.joined()) >= self.processes and self.standsBy())
        return self.program

    def end(self) -> None:
        """
        Stop what runs, whichever process manages. Nothing is left.
        """
        for pid in {*self.pids(r"process (\d+) manages"), self.program.process.pid}:
            if self.isOurs(pid):
                os.kill(pid, signal.SIGTERM)
        self.program.stop()
        waitUntil(lambda: not self.ours())

    def pids(self, pattern: str) -> list[int]:
        """
        Find PIDs in the log, the last one last.
        """
        return [int(pid) for pid in re.findall(pattern, self.program.output)]

    def joined(self) -> set[int]:
        """
        The clones that have joined a manager at some time, and run.
        """
        return {pid for pid in self.pids(r"clone\d+ has joined: process (\d+)") if self.isOurs(pid)}

    def isOurs(self, pid: int) -> bool:
        """
        Tell whether a process runs the application.
        """
        try:
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return False
        return str(self.folder / "app.tac").encode() in command and state != "Z"

    def ours(self) -> list[int]:
        """
        All processes of the application.
        """
        return [
            int(name) for name in os.listdir("/proc") if name.isdigit() and self.isOurs(int(name))
        ]

    def manager(self) -> int:
        """
        The process that manages.
        """
        return self.pids(r"process (\d+) manages")[-1]

    def settled(self) -> bool:
        """
        Tell whether a process manages that is no clone, and all others are there.
        """
        return (
            self.manager() not in self.joined() and len(self.ours()) == self.all and self.standsBy()
        )

    @property
    def all(self) -> int:
        """
        The processes that there are to be: clones, the manager, and one that stands by.
        """
        return self.processes + 1 + bool(self.more.get("standby", True))

    def standby(self) -> int:
        """
        The process that stands by, as the log tells; -1 if there was none.
        """
        found = self.pids(r"process (\d+) stands by")
        return found[-1] if found else -1

    def standsBy(self) -> bool:
        """
        Tell whether a process stands by, if one is to.
        """
        pid = self.standby()
        wanted = self.more.get("standby", True)
        return not wanted or (pid != self.manager() and self.isOurs(pid))

    def kinds(self, load: Load) -> set[bytes]:
        """
        The first words of the answers.
        """
        return {answer.split()[0] for answer in load.answers}
