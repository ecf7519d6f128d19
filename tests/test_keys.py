"""API keys: who is let in, what the file may hold, and that a key is written down nowhere."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest
from litestar.testing import TestClient

from service import keys as program
from service.app import create_app
from service.errors import ReloadFailedError, SettingsError
from service.keys import ApiKeys, line_for, new_key
from service.logs import JsonFormatter
from tests.application import KEY, NEEDED, Client, Serve, Served, bearer, is_ready, problem_of, wait_until
from tests.fakes import FakeSession, OpenFake, settings_for, write_bundle

OTHER = "rbn_archive-key"
HASH = hashlib.sha256(KEY.encode()).hexdigest()
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """A file of keys with these lines; the two keys above if there are none."""

    def write(*lines: str) -> Path:
        path = tmp_path / "keys"
        path.write_text("\n".join(lines or ("# ours", "", line_for("shop", KEY), line_for("archive", OTHER))))
        path.chmod(0o600)
        return path

    return write


@pytest.fixture
def guarded(serve: Serve, write: Write) -> Served:
    return serve(api_keys_file=write())


def test_a_key_lets_in(guarded: Served) -> None:
    for headers in (bearer(KEY), {"authorization": f"bearer  {KEY} "}, {"X-API-Key": OTHER}):
        for route in NEEDED:
            assert guarded.post(route, text="a", headers=headers).status_code == 200


WRONG: Sequence[Mapping[str, str]] = (
    {},
    bearer("rbn_wrong"),
    bearer(""),
    bearer(HASH),
    {"Authorization": f"Basic {KEY}"},
    {"Authorization": KEY},
    {"X-API-Key": ""},
    {"X-API-Key": KEY[:-1]},
    {"X-API-Key": f"{KEY} {OTHER}"},
    {"X-API-Key": "é\xff"},
)


def test_nothing_else_does(guarded: Served) -> None:
    for wrong in WRONG:
        headers = {name: value.encode("latin-1") for name, value in wrong.items()}
        for route in NEEDED:
            response = guarded.post(route, text="a", headers=headers)
            document = problem_of(response, 401, "unauthorized")
            assert response.headers["www-authenticate"] == "Bearer"
            assert KEY not in document["detail"]


def test_it_is_asked_for_before_the_body_is_read(guarded: Served) -> None:
    problem_of(guarded.client.post("/tag", content=b"no JSON" * 1_000_000), 401, "unauthorized")


def test_probes_and_the_schema_are_open_and_the_rest_is_not(guarded: Served) -> None:
    for path in ("/health/live", "/health/ready", "/schema", "/schema/openapi.json"):
        assert guarded.client.get(path).status_code == 200
    for path in ("/models", "/metrics"):
        problem_of(guarded.client.get(path), 401, "unauthorized")
        assert guarded.client.head(path).status_code == 401
        assert guarded.client.get(path, headers=bearer(KEY)).status_code == 200
    problem_of(guarded.client.get("/nope"), 404, "not_found")
    assert guarded.client.options("/tag").status_code == 204


def test_without_a_file_nobody_needs_one(served: Served) -> None:
    assert served.post("/tag", text="a", headers=bearer("whatever")).status_code == 200


def test_names_are_logged_and_counted_and_keys_are_not(guarded: Served, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "service")
    guarded.post("/tag", text=["a", "b"], headers=bearer(KEY))
    guarded.post("/tag", text="a", headers=bearer(KEY + "!"))
    lines = [json.loads(JsonFormatter().format(record)) for record in caplog.records]
    assert [(line.get("key"), line.get("kind")) for line in lines] == [("shop", None), (None, "unauthorized")]
    assert "address" in lines[1]
    metrics = guarded.client.get("/metrics", headers=bearer(KEY)).text
    assert 'ribbon_key_items_total{key="shop"} 2.0' in metrics
    for text in (caplog.text, json.dumps(lines), metrics):
        assert KEY not in text
        assert HASH not in text


def test_keys_may_have_limits_of_their_own(serve: Serve, write: Write) -> None:
    path = write(f"{line_for('shop', KEY)}:items=0.01:burst=1", line_for("archive", OTHER))
    served = serve(api_keys_file=path)
    assert [served.post("/tag", text="a", headers=bearer(KEY)).status_code for _ in range(2)] == [200, 429]
    assert {served.post("/tag", text="a", headers=bearer(OTHER)).status_code for _ in range(3)} == {200}


def test_a_limit_is_that_of_each_key(serve: Serve, write: Write) -> None:
    served = serve(api_keys_file=write(), rate_limit_items=0.01, rate_limit_burst=1)
    for key in (KEY, OTHER):
        assert [served.post("/tag", text="a", headers=bearer(key)).status_code for _ in range(2)] == [200, 429]


def test_the_file_can_be_read_again_and_a_bad_one_changes_nothing(write: Write) -> None:
    keys = ApiKeys(write())
    write(line_for("new", "rbn_new"))
    adopt = keys.reread()
    assert keys.names == ["shop", "archive"]
    adopt()
    assert (keys.names, keys.find(KEY.encode())) == (["new"], None)
    write("shop")
    with pytest.raises(SettingsError):
        keys.reread()
    assert keys.names == ["new"]


def test_a_reload_lets_in_whom_the_file_names_now_or_changes_nothing(tmp_path: Path, write: Write) -> None:
    write_bundle(tmp_path / "models")
    app = create_app(settings_for(tmp_path / "models", api_keys_file=write()), open_session=OpenFake(FakeSession()))

    def status(client: Client, key: str) -> int:
        return client.get("/models", headers=bearer(key)).status_code

    with TestClient(app) as client, client.portal() as portal:
        wait_until(lambda: is_ready(client))
        write(line_for("new", "rbn_new"))
        portal.call(app.engine.reload)
        assert (status(client, "rbn_new"), status(client, KEY)) == (200, 401)
        write("shop")
        with pytest.raises(ReloadFailedError, match="keys:1"):
            portal.call(app.engine.reload)
        assert status(client, "rbn_new") == 200


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["# ours", "shop"], "keys:2: after the name and a colon"),
        ([f"shop:{HASH[:-1]}"], "keys:1: after"),
        ([f"shop:{KEY}"], "as `python -m service.keys NAME` prints it"),
        ([f":{HASH}"], "keys:1: a name is"),
        ([f"my shop:{HASH}"], "keys:1: a name is"),
        ([HASH], "keys:1: "),
        ([f"shop:{HASH}:items"], "keys:1: options are"),
        ([f"shop:{HASH}:items=0"], "options are"),
        ([f"shop:{HASH}:items=-1"], "options are"),
        ([f"shop:{HASH}:items=5:items=50"], "each once"),
        ([f"shop:{HASH}:items=1e9"], "options are"),
        ([f"shop:{HASH}:admin=1"], "options are"),
        ([f"shop:{HASH}:burst=0:items=1"], "options are"),
        ([f"shop:{HASH}:burst=5"], "keys:1: burst needs items"),
        ([f"shop:{HASH}", f"shop:{HASH[::-1]}"], "the name of shop is there twice"),
        ([f"shop:{HASH}", f"other:{HASH.upper()}"], "the hash of other is there twice"),
        (["# nothing"], "it holds no key"),
    ],
)
def test_a_bad_file_is_refused_by_line_and_never_quoted(write: Write, lines: list[str], said: str) -> None:
    with pytest.raises(SettingsError) as raised:
        ApiKeys(write(*lines))
    assert said in str(raised.value)
    assert KEY not in str(raised.value)
    assert HASH[:-1] not in str(raised.value)


def test_a_missing_file_and_one_that_is_no_text_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"RIBBON_API_KEYS_FILE=.*nowhere: No such file"):
        ApiKeys(tmp_path / "nowhere")
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsError, match="not a text in UTF-8"):
        ApiKeys(tmp_path / "bytes")


@pytest.mark.parametrize(("mode", "warnings"), [(0o600, 0), (0o440, 0), (0o644, 1), (0o660, 1)])
def test_a_file_that_others_may_read_or_change_is_worth_a_warning(
    write: Write, caplog: pytest.LogCaptureFixture, mode: int, warnings: int
) -> None:
    path = write()
    path.chmod(mode)
    ApiKeys(path)
    assert len(caplog.records) == warnings


def test_the_program_shows_a_new_key_once_and_its_line(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    assert program.main(["shop"]) == 0
    shown, line = capsys.readouterr().err.split()[6], ""
    capsys.readouterr()
    assert program.main(["shop"]) == 0
    out, err = capsys.readouterr()
    [line] = out.splitlines()
    [key] = [word for word in err.split() if word.startswith("rbn_")]
    found = ApiKeys(write(line)).find(key.encode())
    assert found is not None
    assert found.name == "shop"
    assert shown != key


@pytest.mark.parametrize("arguments", [[], ["--help"], ["a", "b"], ["my shop"]])
def test_the_program_says_how_it_is_used(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert program.main(arguments) != 0
    assert "rbn_" not in capsys.readouterr().out


def test_keys_differ() -> None:
    assert len({new_key() for _ in range(100)}) == 100
    assert min(map(len, (new_key() for _ in range(100)))) > 40
