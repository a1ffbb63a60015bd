"""
The web console in Chromium.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from unittest import skipUnless
from xml.sax.saxutils import quoteattr

from selenium.webdriver.common.keys import Keys

from tests.admin.fakes import quickHash
from tests.integration.etcds import Etcd
from tests.integration.support import (
    BROWSER_PROGRAMS,
    ROOT,
    Browser,
    IntegrationTestCase,
    Load,
    Program,
    askTxlb,
    connect,
    freePorts,
    request,
    waitUntil,
)
from tests.integration.support._radius import FREERADIUS, SECRET, RADIUSServer

CONFIG = """<config>
  <service name="web">
    <listen ip="127.0.0.1:{web}"/>
    <group name="prod" scheduler="roundr" enable="yes">
      <check type="tcp" interval="1" timeout="1" fall="1" rise="1"/>
      <host name="h1" ip="127.0.0.1:{h1}"/>
      <host name="h2" ip="127.0.0.1:{h2}"/>
    </group>
    {more}
  </service>
  <admin>
    <web enable="yes" listen="127.0.0.1:{port}" refresh="1"/>
    <user name="ann" access="full" password="{password}"/>
    <user name="oli" access="operator" password="{password}"/>
    <user name="rea" access="readonly" password="{password}"/>
  </admin>
</config>
"""

#: What a browser says of a balancer that is gone.
GONE = ("ERR_CONNECTION_REFUSED", "ERR_INCOMPLETE_CHUNKED_ENCODING", "ERR_CONNECTION_RESET")

#: Names that would be markup, or that are written from the right.
NAMES = ("<img src=x onerror=document.title=1>", "\u05e9\u05e8\u05ea", "a\"b'c&amp;")


#: An application that is cloned.
CLONED = """
import os
from twisted.application import service, strports
from twisted.web import server, static

application = service.Application("web")
site = server.Site(static.Data(b"cloned", "text/plain"), logPath=os.devnull)
strports.service("tcp:1", site).setServiceParent(application)
"""


class ConsoleCase(IntegrationTestCase):
    needed = BROWSER_PROGRAMS

    def setUp(self) -> None:
        super().setUp()
        self.web, self.h1, self.h2, self.port = freePorts(4)
        self.password = quickHash("secret")

    def config(self, more: str = "") -> str:
        return CONFIG.format(
            web=self.web,
            h1=self.h1,
            h2=self.h2,
            port=self.port,
            more=more,
            password=self.password,
        )

    def host(self, port: int, name: str) -> Program:
        """
        Start a host.
        """
        path = ROOT / "tests" / "integration" / "small_host.py"
        program = self.start(sys.executable, path, str(port), name)
        program.waitForPort(port)
        return program

    def browser(self, *expected: str) -> Browser:
        """
        Start a browser. At the end there is no trouble in its log.
        """
        browser = Browser(f"http://127.0.0.1:{self.port}/")
        self.addCleanup(browser.stop)
        self.addCleanup(lambda: self.assertEqual(browser.troubles(*expected), []))
        return browser

    def row(self, browser: Browser, name: str) -> str:
        """
        Return the text of the row of a host in the overview, on one line.
        """
        rows = browser.run(
            "return [...document.querySelectorAll('.row.host')].map(e => e.innerText)"
        )
        lines = [" ".join(row.split()) for row in rows]
        return next((line for line in lines if f" {name} " in line), "")


@skipUnless(FREERADIUS, "needs FreeRADIUS")
class QuestionTests(ConsoleCase):
    def test_secondFactor(self) -> None:
        """
        The page of the login asks for the code that a RADIUS server wants, as plain text, and
        begins again after a wrong one. The server says whether the code may be seen while it is
        typed.
        """
        server = RADIUSServer(self.folder / "radius")
        self.addCleanup(server.stop)
        secret = self.folder / "secret"
        secret.write_text(SECRET)
        secret.chmod(0o600)
        source = (
            f'<radius servers="127.0.0.1:{server.port}" secretFile={quoteattr(str(secret))} '
            'timeout="30"><map value="ops" access="operator"/></radius>'
        )
        self.startTxlb(self.config().replace("</admin>", f"{source}</admin>"))
        browser = self.browser()
        browser.open()
        for code, told in (("1", "the answer is wrong"), ("246810", "Log out")):
            browser.logIn("otto", "otto-password")
            browser.waitFor("Code of the token")
            self.assertEqual(self._typeOfAnswer(browser), "password")
            browser.type({"answer": code})
            browser.click("Go on")
            browser.waitFor(told)
        self.assertIn("otto", browser.text())
        browser.click("Log out")
        browser.waitFor("Password")
        browser.logIn("olga", "olga-password")
        browser.waitFor("Code of the token")
        self.assertEqual(self._typeOfAnswer(browser), "text")

    def _typeOfAnswer(self, browser: Browser) -> str:
        return str(browser.run("return document.querySelector('[name=answer]').type"))


class DayTests(ConsoleCase):
    def test_day(self) -> None:
        """
        An administrator logs in, watches a host die and come back, drains another under load
        and undoes it, types what is wrong, reloads, saves, and logs out.
        """
        first, _ = self.host(self.h1, "h1"), self.host(self.h2, "h2")
        self.startTxlb(self.config())
        file = self.folder / "config.xml"
        browser = self.browser()

        browser.open()
        browser.logIn("ann", "wrong")
        browser.waitFor("the user or the password is wrong", "[role=alert]")
        browser.logIn("ann", "secret")
        waitUntil(lambda: self.row(browser, "h1").startswith("● up"))

        first.stop()
        waitUntil(lambda: self.row(browser, "h1").startswith("✕ down"))
        self.assertIn("refuse", self.row(browser, "h1"))
        browser.waitFor("1 need attention")
        self.host(self.h1, "h1")
        waitUntil(lambda: self.row(browser, "h1").startswith("● up"))

        with Load(lambda: self.web, 4) as load:
            browser.open("#/host/web/prod/h2")
            browser.click("Drain")
            browser.waitFor("gets no new connection", "dialog")
            browser.answer("Drain")
            browser.waitFor("drain", "h2 .state")
            browser.waitFor("by web:ann", ".events")
            done = load.done
            waitUntil(lambda: load.done > done + 20)
            browser.open("#/events")
            browser.click("Undo host-state of web/prod/h2")
            browser.answer("Undo")
            browser.open("#/")
            waitUntil(lambda: self.row(browser, "h2").startswith("● up"))
            answers = load.answers[b"h2\n"]
            waitUntil(lambda: load.answers[b"h2\n"] > answers)
        self.assertEqual(load.failures, [])

        self._wrong(browser, file)
        browser.click("Upgrade")
        browser.waitFor("connections move", "dialog .diff")
        browser.click("Cancel", "//dialog")
        browser.click("Log out")
        browser.waitFor("Password")
        browser.open()
        browser.waitFor("Password")

    def _wrong(self, browser: Browser, file: Path) -> None:
        # An error is told where the value was typed, and the right value goes.
        browser.open("#/host/web/prod/h1")
        browser.click("Weight")
        browser.answer("Set weight", weight="70000")
        browser.waitFor("65535", "dialog [role=alert]")
        browser.answer("Set weight", weight="3")
        browser.waitFor("1 -> 3", ".events")
        browser.waitFor("3 live", ".settings")

        # What the file has of it is shown before it is written.
        browser.click("Save")
        browser.waitFor("web/prod/h1: weight 1 -> 3", "dialog .diff")
        browser.answer("Save")
        waitUntil(lambda: 'weight="3"' in file.read_text())

        right = file.read_text()
        file.write_text(right.replace('scheduler="roundr"', 'scheduler="rundr"'))
        browser.click("Reload")
        browser.waitFor("config.xml:4", ".message")
        browser.waitFor("rundr", ".message")
        self.assertIn("up", browser.text("h2 .state"))
        file.write_text(right.replace('name="h2"', 'name="h3"'))
        browser.click("Reload")
        browser.waitFor("host web/prod/h2 removed", "dialog .diff")
        browser.answer("Reload")
        browser.open("#/host/web/prod/h2")
        browser.waitFor("There is no web/prod/h2 any more")


class OthersTests(ConsoleCase):
    """
    Several users, and several balancers one after the other.
    """

    def test_roles(self) -> None:
        """
        Users see the buttons of what they may do, and no other one.
        """
        self.startTxlb(self.config())
        browser = self.browser()
        host = {"Drain", "Maintenance", "Weight"}
        whole = {"Reload", "Save", "Upgrade"}
        always = {"Change between dark and light", "Log out"}
        for user, wanted in (("rea", set()), ("oli", host), ("ann", host | whole | {"Remove"})):
            browser.enter(user, "secret")
            browser.open("#/host/web/prod/h1")
            browser.waitFor("For ", ".lead")
            self.assertEqual(
                {name for name in browser.buttons() if not name.startswith("Undo")},
                wanted | always,
            )
            browser.click("Log out")
            browser.waitFor("Password")

    def test_two(self) -> None:
        """
        What is changed in a browser is seen in another one, with its author.
        """
        self.startTxlb(self.config())
        one, other = self.browser(), self.browser()
        one.enter("ann", "secret")
        other.enter("rea", "secret")
        other.open("#/host/web/prod/h1")
        one.open("#/host/web/prod/h1")
        one.click("Maintenance")
        one.answer("Begin maintenance")
        other.waitFor("maintenance", "h2 .state")
        other.waitFor("by web:ann", ".events")

    def test_restart(self) -> None:
        """
        A balancer that starts anew knows no session: an open page becomes that of the login,
        once, and what is typed there stays.
        """
        program = self.startTxlb(self.config())
        browser = self.browser(*GONE)
        browser.enter("ann", "secret")
        self.stopTwistd(program)
        browser.waitFor("no connection; trying again")
        self.startTxlb(self.config())
        browser.waitFor("Password")
        browser.run("window.stays = true")
        browser.logIn("ann", "wrong")
        browser.waitFor("the user or the password is wrong", "[role=alert]")
        self.assertTrue(browser.run("return window.stays"))
        browser.logIn("ann", "secret")
        browser.waitFor("Log out")


class FarTests(ConsoleCase):
    def test_latency(self) -> None:
        """
        With 200 ms of latency, and by the keyboard alone, a host is drained and brought back. The
        service gets another group and another port.
        """
        other = f'<group name="next"><host name="n1" ip="127.0.0.1:{self.h1}"/></group>'
        self.startTxlb(self.config(other))
        browser = self.browser()
        browser.enter("ann", "secret")
        browser.driver.execute_cdp_cmd("Network.enable", {})
        browser.driver.execute_cdp_cmd(
            "Network.emulateNetworkConditions",
            {"offline": False, "latency": 200, "downloadThroughput": -1, "uploadThroughput": -1},
        )
        browser.open("#/host/web/next/n1")
        browser.waitFor("For ", ".lead")
        self._press(browser, "Drain", Keys.ENTER)
        browser.waitFor("gets no new connection", "dialog")
        # Escape ends the question, and the button that asked it has the focus again.
        browser.press(Keys.ESCAPE)
        waitUntil(lambda: browser.text("dialog") == "")
        self.assertEqual(browser.run("return document.activeElement.innerText"), "Drain")
        browser.press(Keys.ENTER)
        browser.waitFor("gets no new connection", "dialog")
        browser.press(Keys.ENTER)
        browser.waitFor("drain", "h2 .state")
        browser.open("#/events")
        browser.click("Undo host-state of web/next/n1")
        browser.answer("Undo")
        browser.waitFor("drain -> ready", ".events")

        browser.open("#/group/web/next")
        browser.click("Give it the connections")
        browser.answer("Switch")
        browser.waitFor("It gets the connections", ".lead")
        browser.open("#/service/web")
        browser.click(f"Move 127.0.0.1:{self.web}")
        browser.answer("Move", address=f"127.0.0.1:{self.h2}")
        browser.waitFor(f"It listens on 127.0.0.1:{self.h2}", ".lead")

    def _press(self, browser: Browser, name: str, key: str) -> None:
        # As many steps as there are at most to what has the focus.
        for _ in range(40):
            browser.press(Keys.TAB)
            if browser.run("return document.activeElement.innerText") == name:
                browser.press(key)
                return
        self.fail(f"the keyboard does not reach {name}")


class StrangeTests(ConsoleCase):
    """
    Configurations that are strange.
    """

    def test_names(self) -> None:
        """
        Names are text on every page.
        """
        hosts = "".join(
            f'<host name={quoteattr(name)} ip="127.0.0.1:{self.h1}"/>' for name in NAMES
        )
        self.startTxlb(self.config(f'<group name="odd">{hosts}</group>'))
        browser = self.browser()
        browser.enter("ann", "secret")
        for name in NAMES:
            browser.waitFor(name, "#rows")
        for place in ("#/group/web/odd", "#/events", "#/explain"):
            browser.open(place)
            browser.waitFor("txlb")
        # The page of the interface is made of its document.
        browser.click("REST", "//footer")
        browser.waitFor("/api/v1/services/{service}/groups/{group}/hosts/{host}/drain")
        browser.type({"filter": "PUT"})
        waitUntil(lambda: "/drain" not in browser.text("main"))
        browser.open("#/")
        browser.click(NAMES[0])
        browser.waitFor(NAMES[0], "h2")
        browser.click("Weight")
        browser.waitFor(NAMES[0], "dialog h2")
        browser.answer("Set weight", weight="2")
        browser.waitFor("1 -> 2", ".events")
        self.assertEqual(browser.run("return document.querySelectorAll('img').length"), 0)
        self.assertNotEqual(browser.driver.title, "1")
        style = browser.run("return getComputedStyle(document.querySelector('h2')).unicodeBidi")
        self.assertEqual(style, "isolate")

    def test_many(self) -> None:
        """
        Of 2,000 hosts only those that can be seen are drawn, wherever the page is scrolled to.
        """
        hosts = "".join(
            f'<host name="host{n}" ip="127.0.{n // 250}.{n % 250 + 1}:80"/>' for n in range(2000)
        )
        self.startTxlb(self.config(f'<group name="many">{hosts}</group>'))
        browser = self.browser()
        browser.enter("ann", "secret")
        browser.waitFor("2,002 hosts")
        # So many are folded at first.
        self.assertEqual(self._drawn(browser), 2)
        browser.click("Show the hosts of web/many")
        waitUntil(lambda: "host3" in browser.text("#rows"))
        self.assertLess(self._drawn(browser), 100)
        browser.run("window.scrollTo(0, document.body.scrollHeight)")
        waitUntil(lambda: "host1999" in browser.text("#rows"))
        self.assertLess(self._drawn(browser), 100)
        browser.run("window.scrollTo(0, 0)")
        browser.type({"filter": "host1234"})
        waitUntil(lambda: self._drawn(browser) == 1)
        self.assertTrue(re.search("host1234", browser.text("#rows")))

    def _drawn(self, browser: Browser) -> int:
        return int(browser.run("return document.querySelectorAll('.row.host').length"))


class ChangesTests(ConsoleCase):
    """
    The changes that the other tests do not make.
    """

    def test_hosts(self) -> None:
        """
        A host is added, gets connections, and is removed; the group gets another policy, and the
        service another group and another port. A service with several listeners has a button
        for each.
        """
        self.host(self.h1, "h1")
        third, fourth = freePorts(2)
        more = f'<group name="next"><host name="n1" ip="127.0.0.1:{self.h1}"/></group>'
        listen = f'<listen ip="127.0.0.1:{self.web}"/><listen ip="127.0.0.1:{third}"/>'
        text = self.config(more).replace(f'<listen ip="127.0.0.1:{self.web}"/>', listen)
        self.startTxlb(text)
        browser = self.browser()
        browser.enter("ann", "secret")

        browser.open("#/group/web/prod")
        browser.click("Add a host")
        browser.answer("Add", name="h3", address="nowhere:port")
        browser.waitFor("port", "dialog [role=alert]")
        browser.answer("Add", address=f"127.0.0.1:{self.h1}", weight="4")
        browser.waitFor("h3", "table")
        browser.waitFor("by web:ann", ".events")
        browser.click("Policy")
        browser.choose("scheduler", "rand")
        browser.click("Set policy", "//dialog")
        browser.waitFor("Its policy is rand", ".lead")

        browser.open("#/host/web/prod/h3")
        waitUntil(lambda: browser.text("h2 .state").endswith("up"))
        browser.click("Remove")
        browser.waitFor("is taken out of its group", "dialog")
        browser.answer("Remove")
        browser.waitFor("There is no web/prod/h3 any more")

        browser.open("#/group/web/next")
        browser.click("Give it the connections")
        browser.waitFor("1 ready host", "dialog")
        browser.answer("Switch")
        browser.waitFor("It gets the connections", ".lead")
        browser.open("#/service/web")
        browser.click(f"Move 127.0.0.1:{third}")
        browser.answer("Move", address=f"127.0.0.1:{fourth}")
        browser.waitFor(f"127.0.0.1:{fourth}", ".lead")
        self.assertIn(f"127.0.0.1:{self.web}", browser.text(".lead"))
        browser.waitFor(f"Move 127.0.0.1:{fourth}", ".actions")
        self.assertIn(b"h1", request(connect(fourth)))

    def test_accept(self) -> None:
        """
        An answer of a source that leaves out too many hosts is accepted.
        """
        found = self.folder / "hosts.txt"
        found.write_text("".join(f"127.0.0.1:{7000 + n} name=f{n}\n" for n in range(4)))
        more = '<group name="found"><discover from="file" path="hosts.txt"/></group>'
        self.startTxlb(self.config(more))
        browser = self.browser()
        browser.enter("oli", "secret")
        browser.waitFor("f3", "#rows")
        found.write_text("127.0.0.1:7000 name=f0\n")
        browser.open("#/sources")
        browser.click("Accept")
        browser.waitFor("has 4 hosts, and gets 1", "dialog")
        browser.answer("Accept")
        waitUntil(lambda: "held back" not in browser.text("table"))
        browser.open("#/")
        waitUntil(lambda: "f3" not in browser.text("#rows"))
        self.assertIn("f0", browser.text("#rows"))

    def test_roll(self) -> None:
        """
        The clones of a group are rolled: another process takes the place of each.
        """
        (self.folder / "app.tac").write_text(CLONED)
        more = '<group name="app"><clones tac="app.tac" processes="1" graceTime="5"/></group>'
        before = ("env", f"RUNTIME_DIRECTORY={self.shortFolder()}")
        text = self.config(more.replace("<group", '<group enable="yes"'))
        self.startTxlb(text.replace('"roundr" enable="yes"', '"roundr"'), before=before)
        browser = self.browser()
        browser.enter("ann", "secret")
        browser.open("#/clones")
        waitUntil(lambda: self._pids(browser))
        pids = self._pids(browser)
        browser.click("Roll")
        browser.waitFor("replaced one by one", "dialog")
        browser.answer("Roll")
        waitUntil(lambda: self._pids(browser) and not self._pids(browser) & pids)

    def _pids(self, browser: Browser) -> set[str]:
        """
        Return the pids of the clones that serve.
        """
        rows = browser.run(
            "return [...document.querySelectorAll('tbody tr')].map("
            "row => [...row.children].map(cell => cell.innerText))"
        )
        return {row[3] for row in rows if row[2] == "serves"}

    def test_endSession(self) -> None:
        """
        An administrator ends the session of another user, whose page becomes that of the login.
        """
        self.startTxlb(self.config())
        one, other = self.browser(), self.browser(*GONE)
        other.enter("rea", "secret")
        one.enter("ann", "secret")
        one.open("#/sessions")
        one.click("End the session of rea")
        one.waitFor("is disconnected from web", "dialog")
        one.answer("End")
        other.waitFor("Password")
        waitUntil(lambda: "rea" not in one.text("tbody"))


class ClusterTests(ConsoleCase):
    def test_cluster(self) -> None:
        """
        The page of the cluster has its members. The only one can't let another one lead, and the
        page tells why. What the members share is taken back there.
        """
        etcd = Etcd(self)
        cluster = f'<cluster name="prod" member="one" election="etcd:{etcd.url}"/>'
        control = str(self.shortFolder() / "control")
        more = f'<control socket="{control}"/>{cluster}</config>'
        self.startTxlb(self.config().replace("</config>", more))
        browser = self.browser("409")
        browser.enter("ann", "secret")
        browser.open("#/cluster")
        browser.waitFor("one leads since")
        waitUntil(lambda: "the same" in browser.text("tbody"))
        browser.click("Step down")
        browser.waitFor("An address that follows the leader moves", "dialog")
        browser.answer("Step down")
        browser.waitFor("is the only member of cluster prod")
        browser.answer("Cancel")
        askTxlb(control, "weight", "web/prod/h1", "7")
        browser.click("Take back 1 shared value")
        browser.waitFor("The members share 1 value on top", "dialog")
        browser.answer("Take back")
        waitUntil(lambda: not askTxlb(control, "cluster")[0]["shared"])

    def test_none(self) -> None:
        self.startTxlb(self.config())
        browser = self.browser()
        browser.enter("rea", "secret")
        browser.open("#/cluster")
        browser.waitFor("This balancer is in no cluster")
