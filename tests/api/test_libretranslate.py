"""/compat/libretranslate: LibreTranslate's own client works unchanged, and nothing of /translate is bypassed."""

from __future__ import annotations

import gzip
import json
import tracemalloc
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import parse_qs, urlencode

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from libretranslatepy import LibreTranslateAPI

from service.api.libretranslate import MAX_FIELDS, LibreTranslateRequest, decode_form
from service.errors import InvalidRequestError, MalformedRequestError
from service.keys import line_for
from tests.application import Serve, Served, write_one_each
from tests.fakes import write_translator
from tests.server import Run, RunningServer

PATH = "/compat/libretranslate/translate"
KEY = "a-key-that-is-long-enough"
GOOD: Mapping[str, Any] = {"q": "a b", "source": "en", "target": "es"}


def ask(served: Served, **request: Any) -> httpx.Response:
    return served.client.post(PATH, json={**GOOD, **request})


def ask_form(served: Served, **request: Any) -> httpx.Response:
    return served.client.post(PATH, data={**GOOD, **request})


def translated(served: Served, text: str, **request: Any) -> str:
    """What /translate says."""
    return str(served.translate(text=text, **request)["results"][0]["translation"])


def client_of(running: RunningServer, key: str | None = None) -> LibreTranslateAPI:
    return LibreTranslateAPI(f"http://127.0.0.1:{running.port}/compat/libretranslate", key)


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    file = tmp_path / "keys"
    file.write_text(f"{line_for('shop', KEY)}:items=0.001:burst=128\n", encoding="utf-8")
    return file


def test_its_own_client_translates_and_lists_the_languages(run: Run) -> None:
    running = run()
    client = client_of(running)
    asked = {"text": "a b. c?", "target": "es"}
    [expected] = httpx.post(f"http://127.0.0.1:{running.port}/translate", json=asked).json()["results"]
    assert client.translate("a b. c?", "en", "es", timeout=20) == expected["translation"]
    languages = client.languages(timeout=20)
    assert {each["code"]: each["targets"] for each in languages} == {"de": [], "en": ["de", "es"], "es": []}
    assert {each["name"] for each in languages} == {"German", "English", "Spanish"}


def test_its_own_client_is_told_that_nothing_is_detected(run: Run) -> None:
    with pytest.raises(HTTPError) as raised:
        client_of(run()).detect("hello", timeout=20)
    with raised.value as answer:
        assert answer.code == 404
        assert "not detected" in json.loads(answer.read())["error"]


def test_its_own_client_sends_its_key_in_the_form(run: Run, keys: Path) -> None:
    running = run(api_keys_file=keys)
    assert client_of(running, KEY).translate("a", "en", "es", timeout=20)
    assert client_of(running).languages(timeout=20)
    for key in (None, "another-key-that-is-long"):
        with pytest.raises(HTTPError) as raised:
            client_of(running, key).translate("a", "en", "es", timeout=20)
        with raised.value as answer:
            assert answer.code == 403
            assert set(json.loads(answer.read())) == {"error"}


def test_json_and_form_say_the_same_as_translate(served: Served) -> None:
    assert ask(served).json() == {"translatedText": translated(served, "a b")}
    assert ask_form(served).json() == ask(served).json()
    several = {"translatedText": [translated(served, text) for text in ("a", "é & b")]}
    assert ask(served, q=["a", "é & b"]).json() == several
    assert ask_form(served, q=["a", "é & b"]).json() == several
    assert ask(served, q=["a"]).json() == {"translatedText": [translated(served, "a")]}


def test_a_whole_number_may_be_written_with_a_point_beside_unknown_fields(served: Served) -> None:
    assert ask(served, alternatives=2.0, secret=[1e3]).json() == ask(served, alternatives=2).json()
    assert ask(served, alternatives=2.5, secret=1).json()["error"].startswith("alternatives: Expected `int`")


def test_empty_text_is_its_own_translation(served: Served) -> None:
    assert ask(served, q="").json() == ask_form(served, q="").json() == {"translatedText": ""}


def test_auto_is_the_one_source_there_is_and_claims_no_detection(served: Served) -> None:
    detected = {"language": "en", "confidence": 0.0}
    assert ask(served, source="auto").json()["detectedLanguage"] == detected
    assert ask(served, source="auto", q=["a", "b"]).json()["detectedLanguage"] == [detected, detected]
    assert "detectedLanguage" not in ask(served).json()


def test_auto_is_the_likeliest_source_where_there_are_several(serve: Serve, tmp_path: Path) -> None:
    write_one_each(tmp_path / "models")
    write_translator(tmp_path / "models", name="xx-es", sources=("fr", "en"), targets=("es",))
    served = serve()

    def detected(text: str | list[str]) -> Any:
        return ask(served, source="auto", q=text).json()["detectedLanguage"]

    assert detected("the cat is on it") == {"language": "en", "confidence": 80.0}
    assert detected("le chat est sur la table")["language"] == "fr"
    assert [each["language"] for each in detected(["xyz", "le chat est sur la table"])] == ["fr", "fr"]
    assert detected("xyz") == {"language": "en", "confidence": 0.0}
    assert "from 'es' to 'es'" in ask(served, source="auto", q="el gato está en la mesa").json()["error"]
    assert ask(served, source="auto", target="xx").json()["error"].startswith("target: nothing here translates")


def test_alternatives_are_the_further_hypotheses(served: Served) -> None:
    [expected] = served.translate(text="a b", num_hypotheses=3)["results"]
    best, *others = [each["translation"] for each in expected["hypotheses"]]
    assert ask(served, alternatives=2).json() == {"translatedText": best, "alternatives": others}
    assert ask_form(served, alternatives="2").json() == ask(served, alternatives=2).json()
    assert ask(served, q=["a b", "a. b."], alternatives=2).json()["alternatives"] == [others, []]
    assert ask(served, alternatives=15).status_code == 200


def test_html_keeps_its_tags_and_unknown_or_empty_fields_do_no_harm(served: Served) -> None:
    html = "<b>a</b>"
    assert ask(served, q=html, format="html").json() == {"translatedText": translated(served, html, format="html")}
    assert ask_form(served, format="", api_key="", alternatives="", secret="x").json() == ask(served).json()
    assert ask(served, format=None, api_key="", secret=["x"]).json() == ask(served).json()


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        ({"target": "xx"}, "nothing here translates from 'en' to 'xx'; known pairs: en-de, en-es"),
        ({"source": "fr"}, "nothing here translates from 'fr'"),
        ({"q": ["a", "b\0"]}, "q[1]: holds a NUL at position 1"),
        ({"q": "a" * 60_000}, "has 60000 characters, the limit is 50000"),
        ({"format": "markdown"}, "format: Invalid enum value 'markdown'"),
        ({"alternatives": 16}, "alternatives: Expected `int` <= 15"),
    ],
)
def test_mistakes_are_400_and_say_what_is_wrong(served: Served, request_: dict[str, Any], said: str) -> None:
    for answer in (ask(served, **request_), ask_form(served, **request_)):
        assert answer.status_code == 400
        assert set(answer.json()) == {"error"}
        assert said in answer.json()["error"]


@pytest.mark.parametrize(
    ("body", "media_type", "said"),
    [
        (b'{"q": "a", "source": "en"}', "application/json", "target: is required"),
        (b"{", "application/json", "the body is not JSON"),
        (b"", "application/json", "the body is empty"),
        (b"q=a&source=en", "application/x-www-form-urlencoded", "target: is required"),
        (b"source=en&target=es", "application/x-www-form-urlencoded", "q: is required"),
        (b"q=%ff&source=en&target=es", "application/x-www-form-urlencoded", "not a form in UTF-8"),
        (b"q=a&q=b&source=en&source=de&target=es", "application/x-www-form-urlencoded", "source: Expected `str`"),
        (b"x&" * (MAX_FIELDS + 1), "application/x-www-form-urlencoded", f"more than {MAX_FIELDS} fields"),
        (b"q=" + b"%" * (MAX_FIELDS + 1), "application/x-www-form-urlencoded", "percent signs that begin no escape"),
        (b"a", "multipart/form-data; boundary=x", "or application/x-www-form-urlencoded"),
    ],
)
def test_bodies_that_cannot_be_read_are_400(served: Served, body: bytes, media_type: str, said: str) -> None:
    answer = served.client.post(PATH, content=body, headers={"content-type": media_type})
    assert answer.status_code == 400
    assert said in answer.json()["error"]


def test_a_large_form_is_read_too(serve: Serve) -> None:
    served = serve(max_text_length=200_000, max_request_length=200_000)
    assert ask_form(served, q="\n" * 150_000).json() == {"translatedText": "\n" * 150_000}


@pytest.mark.parametrize("text", ["a b", "a b" + 20_000 * " "])
def test_a_form_may_come_compressed(serve: Serve, text: str) -> None:
    served, plain = serve(max_body_bytes=40_000, max_request_length=30_000), urlencode({**GOOD, "q": text}).encode()
    headers = {"content-type": "application/x-www-form-urlencoded", "content-encoding": "gzip"}
    answer = served.client.post(PATH, content=gzip.compress(plain), headers=headers)
    assert answer.json() == ask_form(served, q=text).json()
    assert answer.status_code == 200
    refused = served.client.post(PATH, content=gzip.compress(plain.ljust(40_001)), headers=headers)
    assert refused.status_code == 413


def test_its_other_paths_are_404_in_its_own_words(served: Served) -> None:
    for path in ("detect", "translate_file", "frontend/settings"):
        answer = served.client.post(f"/compat/libretranslate/{path}", data={"q": "a"})
        assert answer.status_code == 404
        assert set(answer.json()) == {"error"}
    assert "not detected" in served.client.post("/compat/libretranslate/detect", data={"q": "a"}).json()["error"]


def test_limits_deadlines_and_metrics_are_those_of_translate(serve: Serve) -> None:
    served = serve(max_items=2, rate_limit_items=0.001, rate_limit_burst=5)
    assert "must hold 1 to 2 items" in ask(served, q=["a"] * 3).json()["error"]
    late = served.client.post(PATH, json=GOOD, headers={"x-request-timeout-ms": "0.0001"})
    assert late.status_code in (429, 504)
    assert set(late.json()) == {"error"}
    before = served.metric("ribbon_tokens_total")
    assert ask(served).status_code == 200
    assert served.metric("ribbon_tokens_total") > before
    assert served.metric("ribbon_requests_total", route=PATH, status="200") == 1
    limited = [ask(served, q=["a", "b"]) for _ in range(3)][-1]
    assert limited.status_code == 429
    assert int(limited.headers["retry-after"]) > 0
    assert "items a second" in limited.json()["error"]


def test_a_key_in_a_header_counts_and_its_own_rate_limit_holds(serve: Serve, keys: Path) -> None:
    served = serve(api_keys_file=keys)
    assert ask(served).status_code == 403
    header = {"x-api-key": KEY}
    assert served.client.post(PATH, json=GOOD, headers=header).status_code == 200
    assert ask(served, api_key=KEY, q=["a"] * 127).status_code == 200
    assert ask(served, api_key=KEY).status_code == 429
    assert ask_form(served, api_key=KEY).status_code == 429
    assert 'ribbon_key_items_total{key="shop"} 128.0' in served.client.get("/metrics", headers=header).text


def test_a_percent_sign_that_begins_no_escape_stands_for_itself(served: Served) -> None:
    body = b"q=50% off, 100%&source=en&target=es"
    answer = served.client.post(PATH, content=body, headers={"content-type": "application/x-www-form-urlencoded"})
    assert answer.json() == {"translatedText": translated(served, "50% off, 100%")}


@given(st.lists(st.tuples(st.text(), st.text()), max_size=5))
def test_forms_are_read_as_urllib_writes_and_reads_them(fields: list[tuple[str, str]]) -> None:
    body = urlencode(fields, errors="surrogatepass").encode()
    try:
        read = parse_qs(body.decode(), keep_blank_values=True, errors="strict")
    except UnicodeDecodeError:
        with pytest.raises(MalformedRequestError):
            decode_form(body, dict[str, Any])
        return
    expected = {name: values if len(values) > 1 else values[0] for name, values in read.items()}
    assert decode_form(body, dict[str, Any]) == {
        name: value
        for name, value in expected.items()
        if name == "q" or (any(value) if isinstance(value, list) else value)
    }


@given(st.binary())
def test_no_form_ends_in_another_error_than_a_refusal(body: bytes) -> None:
    with suppress(MalformedRequestError, InvalidRequestError):
        decode_form(body, LibreTranslateRequest)


def test_reading_a_large_form_takes_little_memory() -> None:
    body = b"source=en&target=es&q=" + b"%41" * 1_000_000
    tracemalloc.start()
    try:
        assert decode_form(body, LibreTranslateRequest).q == "A" * 1_000_000
        assert tracemalloc.get_traced_memory()[1] < 6 * len(body)
    finally:
        tracemalloc.stop()


def test_a_form_is_what_urlencode_writes(served: Served) -> None:
    text = "a+b & c=d\n%41 é 😀"
    body = urlencode({**GOOD, "q": text}).encode()
    answer = served.client.post(PATH, content=body, headers={"content-type": "application/x-www-form-urlencoded"})
    assert answer.json() == {"translatedText": translated(served, text)}
