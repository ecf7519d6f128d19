"""GET /: the playground's page and files as HTTP serves them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from service.api.pages import FOLDER
from tests.application import Serve, Served, problem_of

FILES = sorted(path.name for path in FOLDER.iterdir())
SCRIPTS = [name for name in FILES if name.endswith(".js")]
MOST_BYTES = 150_000  # of all files together
ADDRESS = re.compile(r"https?://(?!www\.w3\.org/2000/svg)")


def policy_of(served: Served) -> dict[str, str]:
    header = served.client.get("/").headers["content-security-policy"]
    return dict(part.strip().split(" ", 1) for part in header.split(";"))


def test_the_page_is_served_at_the_root_with_everything_it_names(served: Served) -> None:
    page = served.client.get("/")
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    named = set(re.findall(r'(?:href|src)="(playground/[^"]+)"', page.text))
    assert {"playground/style.css", "playground/app.js"} <= named
    for script in SCRIPTS:
        text = (FOLDER / script).read_text("utf-8")
        named |= {f"playground/{name}" for name in re.findall(r'from "\./([\w.]+)"', text)}
        named |= set(re.findall(r'"(playground/[\w.]+)"', text))
    assert named == {f"playground/{name}" for name in FILES if name != "index.html"}
    for name in named:
        assert served.client.get(f"/{name}").content == (FOLDER.parent / name).read_bytes()


def test_scripts_and_styles_are_files_and_nothing_is_run_from_the_page(served: Served) -> None:
    policy = policy_of(served)
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert policy["require-trusted-types-for"] == "'script'", "no text becomes markup"
    assert "unsafe" not in str(policy)
    headers = served.client.get("/").headers
    assert (headers["x-frame-options"], headers["x-content-type-options"]) == ("DENY", "nosniff")
    page = (FOLDER / "index.html").read_text("utf-8")
    assert re.search(r"<script(?![^>]* src=)|<style|\s(on\w+|style)=", page) is None


@pytest.mark.parametrize("path", ["/", "/playground/app.js"])
def test_a_browser_that_has_a_file_is_not_sent_it_again(served: Served, path: str) -> None:
    plain = {"Accept-Encoding": "identity"}
    first = served.client.get(path, headers=plain)
    assert first.headers["cache-control"] == "no-cache"
    again = served.client.get(path, headers=plain | {"If-None-Match": f'"other", W/{first.headers["etag"]}'})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    compressed = served.client.get(path)  # whose tag is a weak one
    assert served.client.get(path, headers={"If-None-Match": compressed.headers["etag"]}).status_code == 304
    assert served.client.get(path, headers={"If-None-Match": '"other"'}).content == first.content
    assert served.client.head(path).headers["content-length"] == str(len(first.content))


def test_it_is_small_and_names_no_other_host() -> None:
    assert sum((FOLDER / name).stat().st_size for name in FILES) < MOST_BYTES
    texts = {name: (FOLDER / name).read_text("utf-8") for name in FILES}
    assert [name for name, text in texts.items() if ADDRESS.search(text)] == []


def test_every_link_is_relative_so_that_it_works_below_a_path() -> None:
    page = (FOLDER / "index.html").read_text("utf-8")
    links = re.findall(r'(?:href|src|action)="([^"]*)"', page)
    assert len(links) > 5
    assert [link for link in links if link.startswith("/")] == []
    asked = [name for script in SCRIPTS for name in re.findall(r'["`]/\w', (FOLDER / script).read_text("utf-8"))]
    assert asked == []


def test_text_never_becomes_markup() -> None:
    sinks = re.compile(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|DOMParser")
    assert [script for script in SCRIPTS if sinks.search((FOLDER / script).read_text("utf-8"))] == []


def test_a_setting_turns_it_off(serve: Serve) -> None:
    served = serve(playground=False)
    for path in ("/", "/playground/app.js"):
        problem_of(served.client.get(path), 404, "not_found")
    assert served.tag(text="Alice plays")["results"]


@pytest.mark.parametrize("name", ["nope.js", "..%2Fschema.html", "index.html"])
def test_other_files_are_not_served(served: Served, name: str) -> None:
    problem_of(served.client.get(f"/playground/{name}"), 404, "not_found")


def test_the_page_needs_no_key_and_the_models_do(serve: Serve, keys: Path) -> None:
    served = serve(api_keys_file=keys)
    for path in ("/", "/playground/app.js"):
        assert served.client.get(path).status_code == 200
    problem_of(served.client.get("/models"), 401, "unauthorized")


def test_it_is_no_part_of_the_described_interface(served: Served) -> None:
    assert "/" not in served.client.get("/schema/openapi.json").json()["paths"]
    assert served.client.post("/").status_code == 405
