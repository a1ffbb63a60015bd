"""
Make the pictures of the web console in the documentation: C{python tools/screenshots.py}.

A balancer with some hosts, of which one is down, serves a few clients; Chromium opens each page,
light, dark and as wide as a phone. It needs C{chromium} and C{chromedriver}; C{pngquant} makes the
pictures small if it is there. They go to C{docs/_static/console}.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.admin.fakes import quickHash  # noqa: E402 - the checkout is not installed
from tests.integration.programs import Program, waitUntil  # noqa: E402
from tests.integration.support import TWISTD, Browser, Load, environment, freePorts  # noqa: E402

FOLDER = ROOT / "docs" / "_static" / "console"

#: The pages: the name of the picture, the place, a text that it has at last.
PAGES = (
    ("overview", "#/", "need attention"),
    ("host", "#/host/shop/blue/app1", "Time to connect"),
    ("group", "#/group/shop/blue", "The last hour"),
    ("service", "#/service/shop", "The last hour"),
    ("events", "#/events", "host-down"),
    ("explain", "#/explain", "Which host"),
    ("rest", "#/rest", "/api/v1/login"),
    ("sources", "#/sources", "No group"),
    ("clones", "#/clones", "No application"),
    ("cluster", "#/cluster", "in no cluster"),
    ("certificates", "#/certificates", "No listener"),
    ("sessions", "#/sessions", "127.0.0.1"),
)

#: The looks: the name, the scheme of colours, the size.
LOOKS: tuple[tuple[str, str, tuple[int, int]], ...] = (
    ("light", "light", (1280, 800)),
    ("dark", "dark", (1280, 800)),
    ("phone", "light", (390, 800)),
)

CONFIG = """<config>
  <service name="shop">
    <listen ip="127.0.0.1:{web}"/>
    <group name="blue" scheduler="leastc" enable="yes">
      <check type="tcp" interval="1" timeout="1" fall="1"/>
      <host name="app1" ip="127.0.0.1:{app1}" weight="2"/>
      <host name="app2" ip="127.0.0.1:{app2}"/>
      <host name="app3-with-a-name-that-is-rather-long" ip="127.0.0.1:{app3}" maxConnections="50"/>
    </group>
    <group name="green" scheduler="roundr">
      <host name="next1" ip="127.0.0.1:{app1}"/>
      <host name="next2" ip="127.0.0.1:{app2}"/>
    </group>
  </service>
  <service name="mail">
    <listen ip="127.0.0.1:{mail}"/>
    <group name="relays" scheduler="weightlc" enable="yes">
      <host name="mx1" ip="127.0.0.1:{app1}"/>
      <host name="mx2" ip="127.0.0.1:{app2}" backup="yes"/>
    </group>
  </service>
  <admin>
    <web enable="yes" listen="127.0.0.1:{port}" refresh="1"/>
    <user name="ann" access="full" password="{password}"/>
  </admin>
</config>
"""


def main() -> int:
    """
    Make the pictures.

    @return: the exit status.
    """
    FOLDER.mkdir(parents=True, exist_ok=True)
    with scene() as (browser, host):
        _all(browser, host)
    return 0


@contextlib.contextmanager
def scene() -> Iterator[tuple[Browser, Program]]:
    """
    Start a balancer with hosts and clients, and a browser, until the context is left.

    @return: the browser, which is not logged in, and the program of a host.
    """
    names = ("web", "mail", "app1", "app2", "app3", "port")
    ports = dict(zip(names, freePorts(len(names)), strict=True))
    with contextlib.ExitStack() as stack:
        name = stack.enter_context(tempfile.TemporaryDirectory(prefix="txlb"))
        folder = Path(name)
        text = CONFIG.format(**ports, password=quickHash("secret"))
        (folder / "config.xml").write_text(text, encoding="utf-8")
        hosts = []
        for each in ("app1", "app2", "app3"):
            hosts.append(_host(folder, ports[each], each))
            stack.callback(hosts[-1].stop)
        command = (*TWISTD, "-n", "txlb", "-c", folder / "config.xml")
        balancer = Program(command, folder, environment(STATE_DIRECTORY=name))
        stack.callback(balancer.stop)
        balancer.waitForPort(ports["port"])
        browser = Browser(f"http://127.0.0.1:{ports['port']}/")
        stack.callback(browser.stop)
        stack.enter_context(Load(lambda: ports["web"], 4))
        stack.enter_context(Load(lambda: ports["mail"], 1))
        yield browser, hosts[1]


def _host(folder: Path, port: int, name: str) -> Program:
    path = ROOT / "tests" / "integration" / "small_host.py"
    program = Program((sys.executable, path, str(port), name), folder)
    program.waitForPort(port)
    return program


def _all(browser: Browser, host: Program) -> None:
    browser.open()
    _look(browser, "login", "Password")
    browser.enter("ann", "secret")
    browser.open("#/host/shop/blue/app1")
    browser.click("Weight")
    browser.answer("Set weight", weight="3")
    browser.waitFor("weight 2 -> 3", ".events")
    # The plots and sparklines are worth a look once they have some points.
    time.sleep(45)
    host.stop()
    browser.open("#/events")
    browser.waitFor("host-down")
    time.sleep(12)
    for page, place, text in PAGES:
        browser.open(place)
        if page == "explain":
            browser.click("Explain", "//form")
            browser.waitFor("It would get")
        if page in {"host", "group", "service"}:
            waitUntil(lambda: browser.run("return document.querySelectorAll('canvas').length"))
        _look(browser, page, text)
    browser.open("#/host/shop/blue/app1")
    browser.click("Drain")
    _look(browser, "drain", "gets no new connection")


def _look(browser: Browser, page: str, text: str) -> None:
    for look, scheme, size in LOOKS:
        browser.emulate(scheme)
        browser.resize(*size)
        browser.waitFor(text)
        # Two frames: what is drawn anew for the size is on the screen.
        browser.driver.execute_async_script(
            "requestAnimationFrame(() => requestAnimationFrame(arguments[0]))"
        )
        file = FOLDER / f"{page}-{look}.png"
        browser.driver.save_screenshot(str(file))
        # With a palette it has a third of the size.
        if shrink := shutil.which("pngquant"):
            subprocess.run([shrink, "--force", "--ext", ".png", file], check=True)
    print(f"{page}: {', '.join(look for look, *_ in LOOKS)}", flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
