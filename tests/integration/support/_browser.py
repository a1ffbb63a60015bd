"""
Chromium at the web console.
"""

from __future__ import annotations

import contextlib
import shutil
from functools import partial
from typing import Any

from selenium.common.exceptions import WebDriverException
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.support.select import Select

from tests.integration.programs import PATIENCE, waitUntil

#: The programs that it needs.
PROGRAMS = ("chromium", "chromedriver")

#: What the log of a page may say: answers that the page shows to its user.
EXPECTED = ("the server responded with a status of 4",)


class Browser:
    """
    A Chromium without a screen, with a profile of its own.

    @param url: the address of the console, with a slash at its end.
    @param size: of its window, in pixels.
    @ivar driver: selenium's driver.
    """

    def __init__(self, url: str, size: tuple[int, int] = (1400, 900)) -> None:
        self.url = url
        options = ChromeOptions()
        options.binary_location = shutil.which(PROGRAMS[0]) or ""
        for argument in (
            "--headless=new",
            # Root may not have Chromium's sandbox, and small machines have little /dev/shm.
            "--no-sandbox",
            "--disable-dev-shm-usage",
            "--disable-gpu",
            "--hide-scrollbars",
            "--lang=en",
            f"--window-size={size[0]},{size[1]}",
        ):
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver: Any = Chrome(options, Service(shutil.which(PROGRAMS[1])))
        self.driver.set_page_load_timeout(PATIENCE)
        self.driver.set_script_timeout(PATIENCE)

    def stop(self) -> None:
        """
        End it.
        """
        with contextlib.suppress(WebDriverException):
            self.driver.quit()

    # Looking

    def run(self, script: str, *arguments: object) -> Any:
        """
        Run JavaScript in the page.

        @return: what it returns.
        """
        return self.driver.execute_script(script, *arguments)

    def text(self, selector: str = "body") -> str:
        """
        Return the visible text of an element; an empty one if there is no such element.
        """
        found = self.run(
            "const e = document.querySelector(arguments[0]); return e ? e.innerText : ''", selector
        )
        return str(found)

    def waitFor(self, words: str, selector: str = "body") -> None:
        """
        Wait until an element has a text in it.

        @raise AssertionError: it takes too long; with the text that is there.
        """
        try:
            waitUntil(lambda: words in self._textNow(selector))
        except AssertionError as error:
            raise AssertionError(f"no {words!r} in:\n{self._textNow(selector)}") from error

    def _textNow(self, selector: str) -> str:
        # A page that is left in this moment has no text.
        with contextlib.suppress(WebDriverException):
            return self.text(selector)
        return ""

    def buttons(self) -> set[str]:
        """
        Return the names of the buttons.
        """
        found = self.run(
            "return [...document.querySelectorAll('button')]"
            ".map(e => e.ariaLabel || e.innerText.trim())"
        )
        return set(found)

    def troubles(self, *expected: str) -> list[str]:
        """
        Return what the browser has complained about, but for answers of status 4xx.

        @param expected: parts of other messages that are expected.
        """
        return [
            entry["message"]
            for entry in self.driver.get_log("browser")
            if not any(words in entry["message"] for words in (*EXPECTED, *expected))
        ]

    # Doing

    def click(self, name: str, within: str = "") -> None:
        """
        Click the first button or link of a name, once it is there.

        @param within: an XPath of what it is in.
        """
        named = f"normalize-space()='{name}' or @aria-label='{name}'"
        path = f"{within}//*[self::button or self::a][{named}]"

        def clicked() -> bool:
            with contextlib.suppress(WebDriverException):
                self.driver.find_element(By.XPATH, path).click()
                return True
            return False

        try:
            waitUntil(clicked)
        except AssertionError as error:
            raise AssertionError(f"no {name!r} in:\n{self.text()}") from error

    def press(self, key: str) -> None:
        """
        Press a key, for what has the focus.

        @param key: one of selenium's C{Keys}.
        """
        ActionChains(self.driver).send_keys(key).perform()

    def type(self, values: dict[str, str]) -> None:
        """
        Type values into the fields of these names.
        """
        for name, value in values.items():
            waitUntil(partial(self.driver.find_elements, By.NAME, name))
            field = self.driver.find_element(By.NAME, name)
            field.clear()
            field.send_keys(value)

    def choose(self, name: str, value: str) -> None:
        """
        Choose one of the values of the list of this name.
        """
        waitUntil(lambda: self.driver.find_elements(By.NAME, name))
        Select(self.driver.find_element(By.NAME, name)).select_by_visible_text(value)

    def answer(self, action: str, **values: str) -> None:
        """
        Answer the question that is open.

        @param action: the word on its button.
        @param values: of its fields.
        """
        waitUntil(lambda: self.driver.find_elements(By.CSS_SELECTOR, "dialog[open]"))
        self.type(values)
        self.click(action, "//dialog")

    def open(self, place: str = "") -> None:
        """
        Open a page of the console, such as C{#/events}.
        """
        self.driver.get(self.url + place)

    def logIn(self, user: str, password: str) -> None:
        """
        Type the user and the password on the page of the login.
        """
        self.type({"user": user, "password": password})
        self.click("Log in")

    def enter(self, user: str, password: str) -> None:
        """
        Open the console, and log in.
        """
        self.open()
        self.logIn(user, password)
        self.waitFor("Log out")

    def emulate(self, scheme: str) -> None:
        """
        Prefer light or dark pages, as the user's system would.
        """
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def resize(self, width: int, height: int) -> None:
        """
        Show the page in a size, be it less than that of the least window.
        """
        values = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", values)
