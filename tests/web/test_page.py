"""What holds of every pane in a real browser: its programs, narrow screens, keyboards, screen readers, failures."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from operator import itemgetter
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest

pytest.importorskip("selenium", reason="selenium is not installed: pip install '.[browser]'")

from bench.playground.browser import PANES, PATIENCE_SECONDS, PHONE, Keys, Page
from bench.process import ROOT
from tests.application import KEY, write_one_each
from tests.programs import check, need
from tests.server import start

pytestmark = pytest.mark.browser
PICTURES = ROOT / "build" / "playground"


@pytest.mark.parametrize("pane", ["tag", "classify", "translate", "generate"])
def test_the_programs_shown_do_what_the_page_did(page: Page, pane: str) -> None:
    page.open(pane)
    page.settle(pane)
    shown = page.copied_answer(pane)
    for language, command in (("curl", ["bash", "-c"]), ("Python", [sys.executable, "-c"])):
        output = check([*command, page.code(pane, language)], timeout=PATIENCE_SECONDS)
        assert answer_in(pane, output) == shown, language
    program = page.code(pane, "JavaScript").replace("console.log(", "lines.push(")
    lines = page.script(f"const lines = []; {program}; return lines")
    assert answer_in(pane, "\n".join(map(json.dumps, lines))) == shown


def answer_in(pane: str, output: str) -> Any:
    """The answer that a program printed, in the form in which the page keeps it."""
    if pane in ("tag", "classify"):
        return json.loads(output)
    lines = [line.removeprefix("data: ") for line in output.splitlines() if line and not line.startswith("event: ")]
    events = [ast.literal_eval(line) if line.startswith("{'") else json.loads(line) for line in lines]
    if pane == "translate":
        return sorted((each for each in events if "sentence" in each), key=itemgetter("sentence"))
    [sample] = [each for each in events if "finish_reason" in each]
    tokens = [{name: each[name] for name in ("text", "logprob", "top")} for each in events if "logprob" in each]
    return sample | {"text": "".join(each["text"] for each in tokens), "tokens": tokens}


@pytest.mark.parametrize("pane", PANES)
def test_nothing_is_wider_than_a_phone(page: Page, pane: str) -> None:
    page.open(pane, size=PHONE)
    page.settle(pane)
    page.picture(PICTURES / f"{pane}-phone.png", PHONE)
    assert page.driver.execute_script("return document.documentElement.scrollWidth") <= PHONE[0]


def test_the_keyboard_reaches_everything(page: Page) -> None:
    page.open("tag")
    page.driver.get("about:blank")
    page.driver.get(page.url)
    page.until(lambda: page.shown("#tag"))
    page.press(Keys.TAB)
    assert focused(page) == "Skip to the models"
    page.driver.execute_script("document.querySelector('[role=tab][aria-selected=true]').focus()")
    for pane in (*PANES[1:], PANES[0]):
        page.press(Keys.ARROW_RIGHT)
        page.until(lambda pane=pane: page.shown(f"#{pane}"))
        assert focused(page).lower() == pane
    page.press(Keys.END)
    page.until(lambda: page.shown("#inside"))
    page.press(Keys.TAB)
    assert page.driver.switch_to.active_element.get_attribute("id") == "inside-text"


def focused(page: Page) -> str:
    return str(page.driver.switch_to.active_element.text)


def test_the_theme_is_kept(page: Page) -> None:
    page.open("tag", theme="light")
    background = "return getComputedStyle(document.body).backgroundColor"
    light = page.driver.execute_script(background)
    for theme in ("light", "dark"):
        page.click("#theme")
        assert page.text("#theme") == f"Theme: {theme}"
    dark = page.driver.execute_script(background)
    assert dark != light
    page.open("tag", theme="light")
    assert page.driver.execute_script(background) == dark
    page.click("#theme")
    assert page.driver.execute_script(background) == light


@pytest.fixture(scope="module")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The source of axe-core, fetched by npm; a skipped test where it is not had."""
    folder = tmp_path_factory.mktemp("axe")
    command = [need("npm"), "pack", "axe-core@4", "--silent"]
    packed = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=300)
    if packed.returncode:
        pytest.skip(f"npm cannot fetch axe-core: {packed.stderr.strip()[-200:]}")
    [archive] = folder.glob("axe-core-*.tgz")
    check(["tar", "-xzf", str(archive), "package/axe.min.js"], cwd=folder)
    return (folder / "package" / "axe.min.js").read_text("utf-8")


@pytest.mark.parametrize("pane", PANES)
def test_axe_finds_nothing_serious(page: Page, axe: str, pane: str) -> None:
    page.open(pane, theme="light")
    page.settle(pane)
    page.picture(PICTURES / f"{pane}-light.png")
    for details in page.all(f"#{pane} summary"):
        details.click()
    if pane == "generate":
        page.all("#generate-out [role=button]")[0].click()
    page.driver.execute_script(axe)
    assert serious_violations(page) == []
    page.prefer("dark")
    page.picture(PICTURES / f"{pane}-dark.png")
    assert (
        serious_violations(page, runOnly=["color-contrast", "link-in-text-block"]) == []
    )  # nothing else is another in the dark


def serious_violations(page: Page, **options: Any) -> list[Any]:
    """What axe-core finds on the page as it is. Texts of maps too narrow to judge are "incomplete", not violations."""
    code = "return (await axe.run(document, {resultTypes: ['violations'], ...given[0]})).violations"
    return [
        (each["id"], node["target"], node["failureSummary"])
        for each in page.script(code, options)
        if each["impact"] in ("serious", "critical")
        for node in each["nodes"]
    ]


@pytest.fixture
def guarded(page: Page, tmp_path: Path, keys: Path) -> Iterator[Page]:
    """The browser on a service that asks for a key and limits rates, with tiny models."""
    write_one_each(tmp_path / "models")
    with ExitStack() as stack:
        running = start(
            stack,
            tmp_path / "models",
            api_keys_file=keys,
            rate_limit_items=0.01,
            rate_limit_burst=3,
            max_items=3,
        ).ready()
        page.url = f"{running.url}/"
        yield page


def test_failures_are_sentences(guarded: Page) -> None:
    page = guarded
    page.expected = ["401", "422", "429"]
    page.driver.get(page.url)
    page.until(lambda: "This service asks for a key." in page.text("#banner"))
    page.one("#banner input").send_keys("wrong", Keys.ENTER)
    page.until(lambda: "The service does not know this key." in page.text("#banner"))
    page.one("#banner input").send_keys(KEY, Keys.ENTER)
    page.until(lambda: page.texts("#tag-out .word"))
    assert page.text("#banner") == ""
    assert KEY not in page.code("tag", "curl")
    assert "$RIBBON_KEY" in page.code("tag", "curl")
    page.click("#tab-classify")
    page.until(lambda: page.text("#classify .error"))
    assert page.text("#classify .error").startswith("The service cannot answer this: ")
    page.write("#classify-text", "good")
    page.until(lambda: page.texts("#classify-out h3") == ["good"])
    assert page.text("#classify .error") == ""
    page.write("#classify-text", f"good{Keys.ENTER}bad")
    page.until(
        lambda: "You have asked for more than your share for now. It asks to try again in" in page.text("#classify")
    )
    page.click("#classify .error button")
    page.until(lambda: "more than your share" in page.text("#classify .error"))


def test_the_page_waits_for_a_service_that_cannot_be_reached(page: Page) -> None:
    page.expected = ["ERR_BLOCKED"]
    page.cdp("Network.enable")
    page.cdp("Network.setBlockedURLs", urls=["*/models"])
    page.driver.get("about:blank")
    page.driver.get(f"{page.url}#classify")
    page.until(lambda: "The service cannot be reached." in page.text("#banner"))
    page.cdp("Network.setBlockedURLs", urls=[])
    page.until(lambda: page.texts("#classify-out h3"))
    assert page.text("#banner") == ""


def test_every_kind_of_failure_has_a_sentence(page: Page) -> None:
    page.open("tag")
    problems = [
        {"status": status, "kind": kind, "title": kind, "detail": "the detail", "request_id": "r1"}
        for status, kind in [
            (429, "overloaded"),
            (503, "not_ready"),
            (504, "deadline_exceeded"),
            (500, "internal_error"),
        ]
    ]
    said = page.script(
        """const {explain} = await import(new URL("playground/api.js", document.baseURI));
           return given[0].map((problem) => explain(problem, 2))""",
        problems,
    )
    assert said == [
        "The service has more to do than it can. It asks to try again in 2 seconds.",
        "The service is starting, or about to stop. It asks to try again in 2 seconds.",
        "The service could not have answered in time, so it did not begin.",
        "Something went wrong in the service. Its log says more under the request r1.",
    ]


@pytest.mark.parametrize("pane", ["tag", "classify", "translate", "inside"])
def test_an_empty_field_says_what_will_appear(page: Page, pane: str) -> None:
    page.open(pane)
    page.settle(pane)
    page.write(f"#{pane}-text", "")
    page.until(lambda: "appear" in page.text(f"#{pane} .empty"))
    assert page.text(f"#{pane} .status") == ""


def test_it_works_below_a_path(page: Page) -> None:
    with behind_a_path(page.url, "/apps/ribbon") as url:
        page.url = url
        page.open("tag")
        page.until(lambda: page.texts("#tag-out .entity"))
        assert f"'{url}tag'" in page.code("tag", "curl")
        page.click("#tab-inside")
        page.until(lambda: page.texts("#inside-out .verdict"))


@contextmanager
def behind_a_path(origin: str, path: str) -> Iterator[str]:
    """A proxy that serves a service below a path."""

    class Proxy(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            given = {name: value for name, value in self.headers.items() if name in ("Content-Type", "Content-Length")}
            rest = self.path.removeprefix(f"{path}/") if self.path.startswith(f"{path}/") else "outside"
            answer = httpx.request(self.command, origin + rest, content=body, headers=given, trust_env=False)
            self.send_response(answer.status_code)
            self.send_header("Content-Type", answer.headers["content-type"])
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Proxy) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}{path}/"
        finally:
            server.shutdown()
            thread.join()
