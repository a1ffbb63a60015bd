"""
The tutorial, the how-to guides and the README do what they say: each is run from top to
bottom. L{tests.integration.pages} tells how blocks are marked.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.integration.pages import Broken, Session, blocksOf, misses, shownFiles, withPorts
from tests.integration.programs import ROOT, TROUBLE

DOCS = ROOT / "docs"
PAGES = [
    ROOT / "README.rst",
    DOCS / "tutorial.rst",
    DOCS / "tutorial-clones.rst",
    DOCS / "moving.rst",
    *(page for page in DOCS.glob("how-to/*.rst") if page.stem != "index"),
]
NEEDED = ("bash", "curl", "ssh", "ssh-keygen")

#: L{tests.integration.test_process} checks them.
UNITS = {
    Path("docs/how-to", name)
    for name in ("txlb.service", "txlb.socket", "app.service", "app.socket", "app@.service")
}


class PageTests(SynchronousTestCase):
    """
    The pages.
    """

    def runPage(self, page: Path, bare: bool = False, needed: tuple[str, ...] = ()) -> None:
        """
        Run a page, and look for trouble in the logs of what it started.

        @param bare: whether nothing is there but what the page has the reader do.
        @param needed: further programs that the page uses.
        """
        programs = (*NEEDED, *needed)
        missing = [program for program in programs if shutil.which(program) is None]
        if missing:
            raise SkipTest(f"not installed: {', '.join(missing)}")
        # With a path that is short enough for sockets.
        folder = Path(tempfile.mkdtemp(prefix="txlb"))
        self.addCleanup(shutil.rmtree, folder)
        session = Session(page, folder.resolve(), bare)
        try:
            if bare:
                self.assertEqual(list(folder.iterdir()), [])
            session.run()
        except Broken as broken:
            self.fail(str(broken))
        finally:
            outputs = session.close()
        for output in outputs:
            self.assertNotRegex(output, TROUBLE)

    def test_everyPageIsRun(self) -> None:
        """
        A new page gets a test here.
        """
        tested = {name.removeprefix("test_page_") for name in dir(self) if "test_page_" in name}
        self.assertEqual({page.stem.replace("-", "_") for page in PAGES}, tested)

    def test_index(self) -> None:
        """
        The guides' index shows each of them once, and no other.
        """
        text = (DOCS / "how-to" / "index.rst").read_text(encoding="utf-8")
        shown, _, hidden = text.partition(".. toctree::")
        pages = sorted(page.stem for page in DOCS.glob("how-to/*.rst") if page.stem != "index")
        self.assertEqual(sorted(re.findall(r"^- :doc:`([\w-]+)`: ", shown, re.MULTILINE)), pages)
        self.assertEqual(sorted(re.findall(r"^   ([a-z][\w-]*)$", hidden, re.MULTILINE)), pages)

    def test_shownFilesExist(self) -> None:
        """
        What the pages show are the examples and systemd's units, which have tests
        of their own.
        """
        shown = set(shownFiles(PAGES))
        self.assertTrue(shown)
        for path in shown:
            self.assertTrue(path.parts[0] == "examples" or path in UNITS, path)
            self.assertTrue((ROOT / path).is_file(), path)

    def test_page_address(self) -> None:
        self.runPage(DOCS / "how-to" / "address.rst", needed=("bird",))

    def test_page_change(self) -> None:
        self.runPage(DOCS / "how-to" / "change.rst")

    def test_page_README(self) -> None:
        """
        From an empty folder, with what the page says and nothing else.
        """
        self.runPage(ROOT / "README.rst", bare=True)

    def test_page_tutorial(self) -> None:
        self.runPage(DOCS / "tutorial.rst", bare=True)

    def test_page_tutorial_clones(self) -> None:
        self.runPage(DOCS / "tutorial-clones.rst", bare=True)

    def test_page_moving(self) -> None:
        self.runPage(DOCS / "moving.rst")

    def test_page_tls(self) -> None:
        self.runPage(DOCS / "how-to" / "tls.rst")

    def test_page_embed(self) -> None:
        self.runPage(DOCS / "how-to" / "embed.rst")

    def test_page_service(self) -> None:
        self.runPage(DOCS / "how-to" / "service.rst")

    def test_page_listeners(self) -> None:
        self.runPage(DOCS / "how-to" / "listeners.rst")

    def test_page_run(self) -> None:
        self.runPage(DOCS / "how-to" / "run.rst")

    def test_page_manhole(self) -> None:
        self.runPage(DOCS / "how-to" / "manhole.rst")

    def test_page_login(self) -> None:
        self.runPage(DOCS / "how-to" / "login.rst")

    def test_page_command_line(self) -> None:
        self.runPage(DOCS / "how-to" / "command-line.rst")

    def test_page_upgrade(self) -> None:
        self.runPage(DOCS / "how-to" / "upgrade.rst")

    def test_page_cloning(self) -> None:
        self.runPage(DOCS / "how-to" / "cloning.rst")

    def test_page_deploying(self) -> None:
        self.runPage(DOCS / "how-to" / "deploying.rst")

    def test_page_hosts(self) -> None:
        self.runPage(DOCS / "how-to" / "hosts.rst")

    def test_page_web(self) -> None:
        self.runPage(DOCS / "how-to" / "web.rst")

    def test_page_console(self) -> None:
        self.runPage(DOCS / "how-to" / "console.rst")

    def test_page_metrics(self) -> None:
        self.runPage(DOCS / "how-to" / "metrics.rst")

    def test_page_clients(self) -> None:
        self.runPage(DOCS / "how-to" / "clients.rst")

    def test_page_proxy_headers(self) -> None:
        self.runPage(DOCS / "how-to" / "proxy-headers.rst")

    def test_page_server_names(self) -> None:
        self.runPage(DOCS / "how-to" / "server-names.rst")

    def test_page_choosing(self) -> None:
        self.runPage(DOCS / "how-to" / "choosing.rst")

    def test_page_checks(self) -> None:
        self.runPage(DOCS / "how-to" / "checks.rst")

    def test_page_http_client(self) -> None:
        self.runPage(DOCS / "how-to" / "http-client.rst")

    def test_page_client_endpoints(self) -> None:
        self.runPage(DOCS / "how-to" / "client-endpoints.rst")

    def test_page_schedulers(self) -> None:
        self.runPage(DOCS / "how-to" / "schedulers.rst")

    def test_page_testing(self) -> None:
        self.runPage(DOCS / "how-to" / "testing.rst")

    def test_page_loads(self) -> None:
        self.runPage(DOCS / "how-to" / "loads.rst")

    def test_page_clusters(self) -> None:
        if shutil.which("etcd") is None:
            raise SkipTest("not installed: etcd")
        self.runPage(DOCS / "how-to" / "clusters.rst")

    def test_page_discovery(self) -> None:
        self.runPage(DOCS / "how-to" / "discovery.rst")

    def test_page_stomp(self) -> None:
        self.runPage(DOCS / "how-to" / "stomp.rst", needed=("activemq", "java"))


class RunnerTests(SynchronousTestCase):
    """
    What runs the pages notices where one does not do what it says.
    """

    def run_(self, text: str, bare: bool = False) -> str | None:
        """
        Run a page.

        @param bare: whether it says how to install txlb.
        @return: what is wrong with it.
        """
        folder = Path(self.mktemp())
        folder.mkdir(parents=True)
        page = folder / "page.rst"
        page.write_text(text, encoding="utf-8")
        session = Session(page, folder.resolve(), bare)
        try:
            session.run()
        except Broken as broken:
            return str(broken)
        finally:
            session.close()
        return None

    def test_right(self) -> None:
        text = (
            ".. code-block:: sh\n   :caption: say.sh\n\n   echo one two\n\n"
            ".. code-block:: console\n\n   $ sh say.sh\n   one ...\n\n"
            ".. code-block:: pycon\n\n   >>> 6 * 7\n   42\n"
        )
        self.assertIsNone(self.run_(text))

    def test_wrongAnswer(self) -> None:
        problem = self.run_(".. code-block:: console\n\n   $ echo one\n   two\n")
        self.assertIn("page.rst:1: $ echo one\ndoes not say 'two'", problem or "")

    def test_wrongStatus(self) -> None:
        problem = self.run_(".. code-block:: console\n\n   $ sh -c 'exit 3'\n")
        self.assertIn("ended with 3", problem or "")

    def test_wrongSyntax(self) -> None:
        problem = self.run_(".. code-block:: console\n\n   $ echo one |\n   two\n")
        self.assertIn("ends the shell", problem or "")

    def test_wrongPython(self) -> None:
        problem = self.run_(".. code-block:: pycon\n\n   >>> 6 * 7\n   41\n")
        self.assertIn("Got:\n    42", problem or "")

    def test_programThatDoesNotRun(self) -> None:
        problem = self.run_(
            ".. code-block:: console\n   :class: running\n\n   $ echo one\n   two\n"
        )
        self.assertIn("does not say 'two'", problem or "")

    def test_notInstalled(self) -> None:
        """
        On a page that says how to install it there is no txlb before that, and none by
        another environment's pip.
        """
        use = ".. code-block:: console\n\n   $ {}\n"
        for command in ("txlb --version", "twistd --version", "python3 -c 'import txlb'"):
            self.assertIn("ended with 1", self.run_(use.format(command), bare=True) or "")
        install = ".. code-block:: console\n   :class: install\n\n   $ {}\n"
        problem = self.run_(install.format("pip install ../txlb"), bare=True)
        self.assertIn("not by the environment", problem or "")

    def test_nobodyRunsIt(self) -> None:
        self.assertIn("nobody runs 'ini'", self.run_(".. code-block:: ini\n\n   a = 1\n") or "")

    def test_unmarked(self) -> None:
        self.assertIn("code without a language", self.run_("So::\n\n   code\n") or "")

    def test_order(self) -> None:
        self.assertIsNone(misses(["a", "...c"], "a\nb\nbc\n"))
        self.assertEqual(misses(["b", "a"], "a\nb\n"), "a")

    def test_ports(self) -> None:
        ports = {"8080": "1", "7001": "2"}
        self.assertEqual(withPorts("127.0.0.1:8080 (7001, 18080)", ports), "127.0.0.1:1 (2, 18080)")

    def test_blocks(self) -> None:
        page = Path(self.mktemp())
        page.write_text(
            "* a\n\n  .. code-block:: console\n     :class: fails\n\n     $ false\n\n  text\n"
        )
        (block,) = blocksOf(page)
        self.assertEqual(block.text, "$ false\n")
        self.assertEqual(block.options, {"class": "fails"})
