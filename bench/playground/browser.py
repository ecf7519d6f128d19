"""Debian's Chromium, driven by Selenium, on the playground of a service."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver import ActionChains, Keys

from bench.programs import BROWSER, path_of

PATIENCE_SECONDS = 60
DESKTOP, PHONE = (1200, 900), (390, 844)
PANES = ("tag", "classify", "translate", "generate", "inside")
OPTIONS = (
    "--headless=new",
    "--no-sandbox",  # for root, as in a container
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-extensions",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--hide-scrollbars",
    "--force-color-profile=srgb",
    "--lang=en",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)


@dataclass
class Page:
    """A browser on the playground, and what a person does with it."""

    driver: Any
    url: str = ""  # of the playground
    expected: list[str] = field(default_factory=list)  # parts of console messages that a test provokes
    log: list[Any] = field(default_factory=list)  # the browser's events in this test

    def open(self, pane: str, *, size: tuple[int, int] = DESKTOP, theme: str = "light") -> None:
        """Load the page anew on a pane, as a browser of this size and taste."""
        self.resize(*size)
        self.prefer(theme)
        self.driver.get("about:blank")
        self.driver.get(f"{self.url}#{pane}")
        self.until(lambda: self.shown(f"#{pane}"))

    def prefer(self, theme: str) -> None:
        """Be a browser whose system is light or dark."""
        self.cdp("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": theme}])

    def settle(self, pane: str) -> None:
        """Wait until an opened pane shows an answer; in Generate, ask for one."""
        if pane == "generate":
            self.write("#generate-seed", "1")  # with this one, a token is a space alone
            self.click("#generate-go")
        self.until(lambda: " in " in self.text(f"#{pane} .status"))

    def picture(self, path: Path, size: tuple[int, int] = DESKTOP) -> None:
        """Save the whole page as PNG."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self.resize(size[0], self.driver.execute_script("return document.documentElement.scrollHeight"))
        self.driver.save_screenshot(str(path))
        self.resize(*size)

    def resize(self, width: int, height: int) -> None:
        self.cdp(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 500,
        )

    def cdp(self, command: str, **parameters: Any) -> Any:
        """A command of the browser's own protocol."""
        return self.driver.execute_cdp_cmd(command, parameters)

    def all(self, selector: str) -> list[Any]:
        return list(self.driver.find_elements("css selector", selector))

    def one(self, selector: str) -> Any:
        [element] = self.all(selector)
        return element

    def shown(self, selector: str) -> bool:
        return any(element.is_displayed() for element in self.all(selector))

    def text(self, selector: str) -> str:
        return str(self.one(selector).text)

    def texts(self, selector: str) -> list[str]:
        return [element.text for element in self.all(selector)]

    def click(self, selector: str) -> None:
        element = self.one(selector)
        self.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", element)
        element.click()

    def point_at(self, element: Any) -> None:
        self.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", element)
        ActionChains(self.driver).move_to_element(element).perform()

    def press(self, *keys: str) -> None:
        ActionChains(self.driver).send_keys(*keys).perform()

    def write(self, selector: str, text: str) -> None:
        """Replace what is in a field, by the keyboard."""
        element = self.one(selector)
        element.click()
        element.send_keys(Keys.CONTROL, "a")
        element.send_keys(Keys.DELETE, text)

    def choose(self, selector: str, value: str) -> None:
        self.click(f"{selector} option[value='{value}']")

    def script(self, code: str, *given: Any) -> Any:
        """Run the body of an async function in the page; returns what its promise comes to."""
        answer = self.driver.execute_async_script(
            f"const done = arguments[arguments.length - 1]; (async (...given) => {{{code}}})(...arguments)"
            ".then((value) => done({value}), (error) => done({error: String(error)}))",
            *given,
        )
        assert "error" not in answer, answer["error"]
        return answer.get("value")

    def until(self, condition: Callable[[], Any], seconds: float = PATIENCE_SECONDS) -> Any:
        """The first true value, asked for again while the page changes under the question."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                if value := condition():
                    return value
            except (StaleElementReferenceException, ValueError):
                pass
            assert time.monotonic() < deadline, f"it never came true; the page says: {self.text('main')[:2000]}"
            time.sleep(0.05)

    def copied_answer(self, pane: str) -> Any:
        """The answer as the button copies it."""
        self.cdp("Browser.grantPermissions", permissions=["clipboardReadWrite", "clipboardSanitizedWrite"])
        self.click(f"#{pane} .copy-json")
        return json.loads(self.script("return navigator.clipboard.readText()"))

    def code(self, pane: str, language: str) -> str:
        """The program that the pane shows for what it did last."""
        if not self.shown(f"#{pane} pre"):
            self.click(f"#{pane} .code summary")
        self.click(f"#{pane}-{language}")
        return str(self.one(f"#{pane} pre").get_property("textContent"))

    def asked(self, pane: str) -> Any:
        """The body that the shown curl command sends."""
        body = self.code(pane, "curl").rpartition("-d '")[2].removesuffix("'")
        return json.loads(body.replace("'\\''", "'"))

    def events(self, method: str) -> list[Any]:
        """Parameters of all events of this kind, as ``Network.loadingFailed``, in this test."""
        self.log += [json.loads(each["message"])["message"] for each in self.driver.get_log("performance")]
        return [each["params"] for each in self.log if each["method"] == method]

    def requests(self) -> list[str]:
        """Addresses of all requests of this test."""
        return [each["request"]["url"] for each in self.events("Network.requestWillBeSent")]

    def check(self) -> None:
        """Nothing went wrong in the console, and nothing was asked of another host."""
        messages = [each["message"] for each in self.driver.get_log("browser")]
        assert [each for each in messages if not any(part in each for part in self.expected)] == []
        hosts = {urlsplit(url).hostname for url in self.requests() if not url.startswith(("about:", "data:"))}
        assert hosts <= {"127.0.0.1"}


@contextmanager
def browser() -> Iterator[Page]:
    """Context manager of a headless Chromium. Raises NotInstalledError."""
    chromium, chromedriver = map(path_of, BROWSER)
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    for option in OPTIONS:
        options.add_argument(option)
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(chromedriver))
    try:
        driver.set_script_timeout(PATIENCE_SECONDS)
        yield Page(driver=driver)
    finally:
        driver.quit()
