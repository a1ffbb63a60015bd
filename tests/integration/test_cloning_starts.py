"""
Starts of cloned applications that can't succeed: one line says why, the exit status is 1, and
what runs goes on.
"""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path

from tests.integration.programs import Program, environment, waitUntil
from tests.integration.support import (
    TWISTD,
    IntegrationTestCase,
    connect,
    freePorts,
    request,
)

#: An application; the last line differs.
TAC = """import os
from twisted.application import service
from twisted.web import resource, server, static
from txlb.cloning import CloningService, cloneApplication

application = service.Application("web")
root = resource.Resource()
root.putChild(b"", static.Data(b"hello", "text/plain"))
site = server.Site(root)
site.log = lambda request: None
{last}
"""

#: The number of the last line.
LINE = 11


class StartTestCase(IntegrationTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.place = str(self.shortFolder() / "run")
        self.port = freePorts(1)[0]
        self.endpoint = f"tcp:{self.port}:interface=127.0.0.1"

    def begin(self, last: str, name: str = "app.tac") -> Program:
        """
        Start an application.
        """
        tac = self.write(name, TAC.format(last=last))
        return self.startPath(tac)

    def startPath(self, tac: Path) -> Program:
        program = Program((*TWISTD, "-n", "-y", tac), self.folder, environment())
        self.addCleanup(program.stop)
        return program

    def service(self, endpoint: str | None = None, more: str = "") -> str:
        """
        Write a line that clones it.
        """
        description = self.endpoint if endpoint is None else endpoint
        return (
            f"CloningService({description!r}, site, processes=1, folder={self.place!r}"
            f"{more or ', graceTime=1'})"
            ".setServiceParent(application)"
        )

    def refused(self, program: Program) -> str:
        """
        Wait until it has ended, with exit status 1 and one line about it.

        @return: the line.
        """
        waitUntil(lambda: program.process.poll() is not None)
        self.assertEqual(program.process.returncode, 1, program.output)
        self.assertNotIn("Traceback", program.output)
        lines = [line for line in program.output.splitlines() if "txlb: " in line]
        self.assertEqual(len(lines), 1, program.output)
        return lines[0].partition("txlb: ")[2]


class WrongSettingTests(StartTestCase):
    def test_settings(self) -> None:
        """
        The line of the C{.tac} is named before anything has started.
        """
        for last, expected in (
            (self.service(more=", graceTime=-1"), "graceTime is -1: give 0 seconds or more"),
            (self.service(more=", maxConnections=0"), "maxConnections"),
            (self.service(more=", scheduler='nope'"), "no scheduler is called 'nope'"),
            ("CloningService('tcp:80', site, processes=0)", "processes is 0: give 1 to 256"),
            ("CloningService('tcp:80', site, processes=-4)", "processes is -4: give 1 to 256"),
            ("CloningService('tcp:80', site, processes=257)", "processes is 257: give 1 to 256"),
            ("CloningService('tcp:80', site, processes='4')", "neither a whole number nor 'auto'"),
            ("cloneApplication(application)", "nothing that can be cloned"),
        ):
            line = self.refused(self.begin(last))
            self.assertIn(f"app.tac, line {LINE}: ", line)
            self.assertIn(expected, line)

    def test_endpoints(self) -> None:
        """
        An endpoint that can't be shared, does not exist, or can't be listened on.
        """
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            number = taken.getsockname()[1]
            for endpoint, expected in (
                ("stdio:", "endpoint stdio: can't be shared by processes: give tcp:"),
                ("nope:80", "Unknown endpoint type: 'nope'"),
                ("ssl:443:privateKey=nope.pem", "nope.pem"),
                (f"tcp:{number}:interface=127.0.0.1", "Address already in use"),
            ):
                line = self.refused(self.begin(self.service(endpoint)))
                self.assertIn(expected, line)

    def test_sharing(self) -> None:
        """
        A way of sharing that does not exist, and one that the endpoint can't have.
        """
        line = self.refused(self.begin(self.service(more=", sharing='no'")))
        self.assertIn("sharing is 'no': give one of 'grants', 'queue', 'reuseport'", line)
        path = self.shortFolder() / "socket"
        wrong = self.service(f"unix:{path}", ", sharing='reuseport'")
        self.assertIn("leave out sharing='reuseport'", self.refused(self.begin(wrong)))

    def test_raises(self) -> None:
        """
        A C{.tac} that raises: the line is named, and the one where the error comes from.
        """
        self.assertIn(
            f"app.tac, line {LINE}: ZeroDivisionError: division by zero",
            self.refused(self.begin("1 / 0")),
        )
        line = self.refused(self.begin("root.putChild('', None)"))
        self.assertRegex(line, rf"app.tac, line {LINE}: \w+: .* \(.*resource.py, line \d+\)$")
        line = self.refused(self.begin("import json; json.loads('{')"))
        self.assertIn(f"app.tac, line {LINE}: JSONDecodeError: ", line)

    def test_description(self) -> None:
        """
        The endpoint that any program of twistd's takes.
        """
        command = (*TWISTD, "-n", "web", "--listen", "clone:0:tcp\\:0", "--path", ".")
        program = Program(command, self.folder, environment())
        self.addCleanup(program.stop)
        self.assertIn("processes is 0: give 1 to 256", self.refused(program))

    def test_folders(self) -> None:
        """
        A folder that others can enter, another user's, and a symbolic link to one.
        """
        folder = Path(self.place)
        folder.mkdir(mode=0o755)
        folder.chmod(0o755)
        self.assertIn(f"chmod 700 {folder}", self.refused(self.begin(self.service())))
        if os.geteuid() == 0:
            folder.chmod(0o700)
            os.chown(folder, 65534, 65534)
            line = self.refused(self.begin(self.service()))
            self.assertIn("user 65534's: choose another one", line)
        elsewhere = self.shortFolder() / "elsewhere"
        elsewhere.mkdir(mode=0o755)
        elsewhere.chmod(0o755)
        folder.rmdir()
        folder.symlink_to(elsewhere)
        self.assertIn("folder", self.refused(self.begin(self.service())))


class RunningTests(StartTestCase):
    """
    Starts beside an application that runs.
    """

    def setUp(self) -> None:
        super().setUp()
        self.program = self.begin(self.service())
        self.program.waitFor("clone0 has joined")

    def serves(self) -> None:
        """
        The application goes on.
        """
        self.assertTrue(request(connect(self.port)).endswith(b"hello"))

    def test_folderInUse(self) -> None:
        """
        Two applications in one folder.
        """
        other = self.begin(self.service(f"tcp:{freePorts(1)[0]}:interface=127.0.0.1"), "other.tac")
        line = self.refused(other)
        self.assertIn("in use by an application with the listeners", line)
        self.assertIn("give each application a folder of its own", line)
        self.serves()

    def test_brokenRelease(self) -> None:
        """
        A release that raises stops the roll. The manager names the line and the error, and
        the application goes on.
        """
        self.write("app.tac", TAC.format(last=self.service() + "\nraise ValueError('broken')"))
        os.kill(self.program.process.pid, signal.SIGHUP)
        found = self.program.waitFor("a clone of the new generation does not start: (.*);")
        self.assertRegex(
            found[1], rf"exit status 1: .*app.tac, line {LINE + 1}: ValueError: broken"
        )
        self.serves()
        for text, error in (
            ("import os\n\ndef (:\n", r"SyntaxError: .* \(app.tac, line 3\)"),
            ("import os\nos.nope\n", ".*app.tac, line 2: AttributeError: .*"),
            ("import os\n", "the file makes no 'application', which twistd needs"),
        ):
            # What fails before it imports txlb.
            self.write("app.tac", text)
            os.kill(self.program.process.pid, signal.SIGHUP)
            self.program.waitFor(f"new generation does not start: exit status 1: {error}; the")
            self.serves()
        self.assertNotIn("Traceback", self.program.output)

    def test_otherListeners(self) -> None:
        """
        A release that listens elsewhere stops the roll as well.
        """
        port = freePorts(1)[0]
        self.write("app.tac", TAC.format(last=self.service(f"tcp:{port}:interface=127.0.0.1")))
        os.kill(self.program.process.pid, signal.SIGHUP)
        found = self.program.waitFor("a clone of the new generation does not start: (.*);")
        self.assertIn("exit status 1", found[1])
        self.serves()


class BrokenCloneTests(StartTestCase):
    def test_clone(self) -> None:
        """
        A C{.tac} that raises in the clones: the manager names the line and the error once.
        """
        last = self.service() + "\nif 'TXLB_CLONE' in os.environ: raise ValueError('broken')"
        program = self.begin(last)
        found = program.waitFor("clone0 ended soon after its start: (.*); it is started again")
        self.assertRegex(
            found[1], rf"exit status 1: .*app.tac, line {LINE + 1}: ValueError: broken"
        )
        self.assertNotIn("Traceback", program.output)
        self.assertEqual(program.stop(), -signal.SIGTERM)
