"""Under which names the service answers: a page that is bound to this machine by its name is kept out."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from service.api.browsers import AllowedHosts, allows
from service.errors import SettingsError
from service.settings import Settings
from tests.application import Serve

REBOUND = "rebound.example"
OWN = ["127.0.0.1", "127.0.0.1:8000", "[::1]:8000", "[::1]", "10.1.2.3:80", "localhost", "LOCALHOST:8000", "localhost."]
OWN += ["app.localhost:3000", socket.gethostname()]
FOREIGN = [
    REBOUND,
    f"{REBOUND}:8000",
    "127.0.0.1.example",
    "localhost.example",
    "notlocalhost",
    "[::1].example",
    "",
    ".",
]


def hosts(bound_to: str = "127.0.0.1", **choices: Any) -> AllowedHosts:
    return AllowedHosts.of(Settings(**choices), bound_to)


@pytest.mark.parametrize("host", OWN)
def test_addresses_and_names_of_this_machine_are_always_allowed(host: str) -> None:
    assert allows(host, hosts().names)
    assert allows(host, hosts(allowed_hosts="nlp.example").names)


@pytest.mark.parametrize("host", FOREIGN)
def test_other_names_are_not(host: str) -> None:
    assert not allows(host, hosts().names)


@pytest.mark.parametrize(
    ("allowed", "host", "is_allowed"),
    [
        ("nlp.example", "NLP.example:443", True),
        ("NLP.Example,b", "nlp.example.", True),
        ("nlp.example", "a.nlp.example", False),
        ("*.nlp.example", "a.b.nlp.example", True),
        ("*.nlp.example", "nlp.example", False),
        ("*.nlp.example", "anlp.example", False),
        ("*", REBOUND, True),
    ],
)
def test_names_are_added_by_a_setting(allowed: str, host: str, is_allowed: bool) -> None:
    assert allows(host, hosts(allowed_hosts=allowed).names) == is_allowed


def test_the_name_that_is_listened_on_is_allowed() -> None:
    assert allows("tagger.internal:8000", hosts("tagger.internal").names)


@pytest.mark.parametrize(
    ("bound_to", "choices", "everywhere"),
    [
        ("127.0.0.1", {}, True),
        ("localhost", {}, True),
        ("::1", {}, True),
        ("127.0.0.1", {"trusted_proxies": "127.0.0.1"}, False),
        ("0.0.0.0", {}, False),
        ("10.1.2.3", {}, False),
        ("0.0.0.0", {"allowed_hosts": "nlp.example"}, True),
    ],
)
def test_where_only_this_machine_asks_or_names_are_set_all_paths_are_guarded(
    bound_to: str, choices: dict[str, str], everywhere: bool
) -> None:
    guard = hosts(bound_to, **choices)
    assert guard.guards("/tag") == guard.guards("/") == guard.guards("//metrics/") == everywhere
    assert guard.guards("/admin/reload")
    assert guard.guards("//admin/reload/")
    assert not guard.guards("/health/ready")


@pytest.mark.parametrize("value", ["a b", "http://a", "a:80", "*.", "a*", "*a", "a/", ".a"])
def test_what_is_no_name_stops_the_start(value: str) -> None:
    with pytest.raises(SettingsError, match="RIBBON_ALLOWED_HOSTS"):
        Settings.from_environment({"RIBBON_ALLOWED_HOSTS": value})


def test_a_forged_host_is_told_so_and_counted(serve: Serve) -> None:
    served = serve(allowed_hosts="testserver.local")
    response = served.post("/tag", text="Alice", headers={"host": REBOUND, "origin": f"http://{REBOUND}"})
    assert (response.status_code, response.json()["kind"]) == (421, "unknown_host")
    assert "RIBBON_ALLOWED_HOSTS" in response.json()["detail"]
    assert REBOUND not in response.text
    assert served.client.get("/metrics", headers={"host": REBOUND}).status_code == 421
    assert served.client.get("/health/ready", headers={"host": REBOUND}).status_code == 200
    assert served.metric("ribbon_errors_total", kind="unknown_host") == 2
    assert served.tag(text="Alice")["results"]
