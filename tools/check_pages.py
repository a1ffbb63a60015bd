"""
Look for what keeps people from using the web console: C{python tools/check_pages.py}.

axe-core, which C{tools/check_console.py} has installed, looks at each page in Chromium, light,
dark and as wide as a phone: contrast, labels, headings, tables, focus. What it calls serious or
critical is an error.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Any

from screenshots import LOOKS, PAGES, scene

from tests.integration.support import BROWSER_PROGRAMS, Browser

AXE = Path(__file__).resolve().parent / "console" / "node_modules" / "axe-core" / "axe.min.js"

#: What is an error.
GRAVE = ("serious", "critical")

RUN = """
const done = arguments[0];
axe.run(document, { resultTypes: ["violations"] }).then(
  (found) => done(found.violations.map((each) => ({
    id: each.id, impact: each.impact, help: each.help,
    nodes: each.nodes.map((node) => node.html.slice(0, 200)),
  }))),
  (error) => done([{ id: "axe", impact: "critical", help: String(error), nodes: [] }]),
);
"""


def main() -> int:
    """
    Look at all pages.

    @return: the exit status.
    """
    missing = [each for each in BROWSER_PROGRAMS if shutil.which(each) is None]
    if not AXE.exists():
        missing.append("axe-core, from npm")
    if missing:
        print(f"The pages are not looked at, as there is no {', '.join(missing)}.", file=sys.stderr)
        # Nothing is left out where everything is installed.
        return 1 if os.environ.get("CI") else 0
    faults = 0
    with scene() as (browser, host):
        browser.open()
        faults += _look(browser, "login", "Password")
        browser.enter("ann", "secret")
        host.stop()
        browser.open("#/events")
        browser.waitFor("host-down")
        for page, place, text in PAGES:
            browser.open(place)
            if page == "explain":
                browser.click("Explain", "//form")
                browser.waitFor("It would get")
            faults += _look(browser, page, text)
        browser.open("#/host/shop/blue/app1")
        browser.click("Weight")
        faults += _look(browser, "a question", "Set weight")
    print(f"{len(PAGES) + 2} pages, {len(LOOKS)} looks: {faults} faults")
    return 1 if faults else 0


def _look(browser: Browser, page: str, text: str) -> int:
    faults = 0
    for look, scheme, size in LOOKS:
        browser.emulate(scheme)
        browser.resize(*size)
        browser.waitFor(text)
        browser.run(AXE.read_text(encoding="utf-8"))
        found: list[Any] = browser.driver.execute_async_script(RUN)
        for each in found:
            print(f"{page}, {look}: {each['impact']}: {each['id']}: {each['help']}")
            for node in each["nodes"][:3]:
                print(f"    {node}")
        faults += sum(each["impact"] in GRAVE for each in found)
    return faults


if __name__ == "__main__":
    raise SystemExit(main())
