"""The image, without a container engine: its Dockerfile, its locks, what it weighs, and that what it holds serves."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from bench.process import DEPLOY, ROOT, Program, ask, free_port
from tests.programs import check, need

DOCKERFILE = (DEPLOY / "Dockerfile").read_text("utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
WITHOUT_ONNXRUNTIME = [each for each in PROJECT["dependencies"] if not each.startswith("onnxruntime")]
NOBODY = 10001


def pins_of(lock: str) -> dict[str, str]:
    """Package -> version."""
    pinned = re.findall(r"^([\w.-]+)==([\w.+!]+)", (DEPLOY / lock).read_text("utf-8"), re.MULTILINE)
    return {canonicalize_name(name): version for name, version in pinned}


@pytest.mark.parametrize(
    ("lock", "needed"),
    [
        ("requirements.lock", PROJECT["dependencies"] + EXTRAS["tracing"]),
        ("requirements-cuda.lock", WITHOUT_ONNXRUNTIME + EXTRAS["tracing"] + EXTRAS["gpu"]),
        ("requirements-train.lock", PROJECT["dependencies"] + EXTRAS["train"]),
        ("requirements-load.lock", PROJECT["dependencies"] + EXTRAS["load"]),
    ],
)
def test_the_locks_pin_what_the_project_asks_for(lock: str, needed: list[str]) -> None:
    pins = pins_of(lock)
    for each in map(Requirement, needed):
        pinned = pins.get(canonicalize_name(each.name))
        assert pinned, f"{lock} lacks {each.name}: python deploy/lock.py {lock}"
        assert each.specifier.contains(pinned), f"{lock} pins {each.name} {pinned}: python deploy/lock.py {lock}"


@pytest.mark.parametrize("lock", sorted(path.name for path in DEPLOY.glob("*.lock")))
def test_every_pin_of_a_lock_has_hashes(lock: str) -> None:
    text = (DEPLOY / lock).read_text("utf-8")
    pins = re.split(r"^(?=[\w.-]+==)", text, flags=re.MULTILINE)[1:]
    assert len(pins) > 20
    assert [pin.splitlines()[0] for pin in pins if "--hash=sha256:" not in pin] == []


def test_the_service_carries_no_torch_and_cuda_only_one_onnxruntime() -> None:
    assert "torch" not in pins_of("requirements.lock")
    assert {name for name in pins_of("requirements-cuda.lock") if name.startswith("onnxruntime")} == {"onnxruntime-gpu"}


def test_the_base_is_pinned_by_digest_and_nothing_else_is_pulled() -> None:
    assert re.search(r"^ARG PYTHON_IMAGE=\S+:3\.11\.\d+-slim-bookworm@sha256:[0-9a-f]{64}$", DOCKERFILE, re.MULTILINE)
    pulled = re.findall(r"^FROM (\S+) AS (\S+)$", DOCKERFILE, re.MULTILINE)
    stages = {name for _, name in pulled}
    assert {source for source, _ in pulled} <= {*stages, "${PYTHON_IMAGE}"}
    assert pulled[-1][1] == "cpu", "docker build without --target builds the last stage"


@pytest.mark.parametrize("name", ["Dockerfile", "ray/Dockerfile"])
def test_dockerfiles_are_clean_to_hadolint(name: str) -> None:
    check([need("hadolint"), str(DEPLOY / name)])


def test_what_the_dockerfile_copies_passes_the_dockerignore() -> None:
    kept = [line[1:] for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if line.startswith("!")]
    copied = [
        source
        for line in DOCKERFILE.splitlines()
        if line.startswith("COPY ") and "--from" not in line
        for source in line.split()[1:-1]
    ]
    assert copied
    assert [source for source in copied if not any(Path(source).match(pattern) for pattern in kept)] == []


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """/opt/ribbon as the image will have it, and what image_size.py said of it."""
    if sys.version_info[:2] != (3, 11):
        pytest.skip("the image's wheels are those of Python 3.11")
    need("strip")
    folder = tmp_path_factory.mktemp("image") / "ribbon"
    return folder, fetched([sys.executable, "deploy/image_size.py", str(folder)])


def fetched(command: list[str]) -> str:
    """What a command said that fetches packages; a skipped test where they cannot be had."""
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if "No matching distribution" in done.stderr or "Max retries" in done.stderr:
        pytest.skip("the package registry cannot be reached: the image's packages were not fetched")
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.tools
def test_the_image_is_within_its_budget(tree: tuple[Path, str]) -> None:
    sizes = dict(re.findall(r"^(.+?) +([\d.]+) MB$", tree[1], re.MULTILINE))
    assert 200 < float(sizes["all"]) <= 350
    assert float(sizes["models"]) > 30
    assert not list(tree[0].glob("packages/torch"))


@pytest.mark.tools
def test_the_tree_serves_every_route_as_nobody_on_a_read_only_file_system(tree: tuple[Path, str]) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can mount the file system read-only")
    port = free_port()
    python = os.path.realpath(sys.executable)
    steps = [
        f"mount --bind {tree[0]} /mnt",
        "mount -o remount,bind,ro /mnt",
        "mount -t tmpfs tmpfs /tmp",
        "mount -o remount,bind,ro /",
        "cd /mnt",
        f"exec setpriv --reuid={NOBODY} --regid={NOBODY} --clear-groups {python} -S -m service",
    ]
    environment = {
        "RIBBON_PORT": str(port),
        "RIBBON_WORKERS": "2",  # whose shared metrics must find a place too
        "RIBBON_THREADS": "1",
        "PYTHONPATH": "/mnt/packages",
        "PATH": "/usr/bin:/bin",
        "HOME": "/nonexistent",
    }
    service = Program(
        command=[need("unshare"), "--mount", "sh", "-ec", "\n".join(steps)],
        ready=f"http://127.0.0.1:{port}/health/ready",
        environment=environment,
    )
    with service:
        base = f"http://127.0.0.1:{port}"
        status, answer = ask(f"{base}/tag", {"text": "Kim moved to Hong Kong on Friday."})
        assert status == 200
        assert [each["text"] for each in json.loads(answer)["results"][0]["entities"]] == ["Kim", "Hong Kong", "Friday"]
        assert ask(f"{base}/classify", {"text": "I love this book."})[0] == 200
        assert ask(f"{base}/translate", {"text": "I love this book.", "target": "es"})[0] == 200
        assert [ask(f"{base}{path}")[0] for path in ("/models", "/metrics", "/schema/openapi.json")] == [200] * 3
        probe = [python, "-I", "-S", str(tree[0] / "healthcheck.py")]
        assert subprocess.run(probe, env=environment, check=False).returncode == 0
    assert subprocess.run(probe, env=environment, check=False).returncode == 1
    assert service.process.returncode == 0


@pytest.mark.tools
def test_the_load_image_has_all_that_locust_needs(tmp_path: Path) -> None:
    if sys.version_info[:2] != (3, 11):
        pytest.skip("the image's wheels are those of Python 3.11")
    stage = "import sys, pathlib; sys.path.insert(0, 'deploy'); import image_size as image; "
    lay = "image.run_stage('packages-load', '/packages', folder / 'packages'); image.copy_context('load', folder)"
    fetched([sys.executable, "-c", f"{stage}folder = pathlib.Path(sys.argv[1]); {lay}", str(tmp_path)])
    (entry,) = re.findall(r'^ENTRYPOINT (\["python", "-m", "locust".*\])$', DOCKERFILE, re.MULTILINE)
    environment = {"PYTHONPATH": str(tmp_path / "packages"), "PATH": "/usr/bin:/bin", "MPLCONFIGDIR": str(tmp_path)}
    command = [os.path.realpath(sys.executable), "-S", *json.loads(entry)[1:], "--host", "http://localhost", "--list"]
    assert "Reader" in check(command, cwd=tmp_path, env=environment)
