"""The image, as far as it goes without an engine: sources, wheel, user, health check."""

import json
import os
import re
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from bench.servers import ROOT
from tests.deploy.dry_run import DEPLOY

IGNORED = DEPLOY / "Dockerfile.dockerignore"


def instructions() -> list[tuple[str, str]]:
    """Name and rest of each, continuations joined."""
    text = (DEPLOY / "Dockerfile").read_text()
    lines = re.sub(r"\\\n", " ", re.sub(r"(?m)^#.*\n", "", text)).splitlines()
    return [(line.split()[0], line.partition(" ")[2].strip()) for line in lines if line.strip()]


def all_of(name: str) -> list[str]:
    return [rest for found, rest in instructions() if found == name]


def test_what_is_copied_is_there_and_not_ignored() -> None:
    wanted = [line[1:] for line in IGNORED.read_text().splitlines() if line.startswith("!")]
    assert all((ROOT / path).exists() for path in wanted)
    for rest in all_of("COPY"):
        *sources, _ = rest.split()
        if sources[0].startswith("--from=build") or sources == ["."]:
            continue
        for source in sources:
            assert (ROOT / source).exists()
            assert any(
                Path(source) == Path(each) or source.startswith(f"{each}/") for each in wanted
            )


def test_it_does_not_run_as_root() -> None:
    names = [name for name, _ in instructions()]
    assert all_of("USER") == ["magnetar"]
    assert "RUN" not in names[names.index("USER") :]
    assert "-o magnetar" in " ".join(all_of("RUN"))


def test_nothing_is_installed_without_its_hash() -> None:
    for rest in all_of("RUN"):
        for command in rest.split("&&"):
            if "pip install" in command:
                assert "--require-hashes" in command or "--no-deps" in command


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built as the image builds it, from what the image is given."""
    directory = tmp_path_factory.mktemp("wheel")
    context = directory / "context"
    context.mkdir()
    for line in IGNORED.read_text().splitlines():
        if line.startswith("!") and not line.startswith("!deploy"):
            (context / line[1:]).symlink_to(ROOT / line[1:])
    [command] = [rest for rest in all_of("RUN") if "pip wheel" in rest]
    arguments = command.replace("/wheels", str(directory)).split()[1:]
    subprocess.run([sys.executable, "-m", "pip", "-q", *arguments], cwd=context, check=True)
    [made] = directory.glob("*.whl")
    return made


def test_the_wheel_has_everything(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        [points] = [name for name in names if name.endswith("entry_points.txt")]
        assert "magnetar = magnetar_cli.main:main" in archive.read(points).decode()
    for folder in ("proto", "runtime", "metadata", "storage", "ledger", "broker", "client", "cli"):
        for path in (ROOT / folder).rglob("*.py"):
            assert str(path.relative_to(ROOT / folder)) in names
    assert not [name for name in names if name.startswith(("tests/", "bench/"))]


def test_what_is_in_the_wheel_runs(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    script = "import magnetar_cli.main as m; print(m.__file__); m.cli(['broker', '--help'])"
    done = subprocess.run(
        [sys.executable, "-P", "-c", script],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    assert done.stdout.startswith(str(tmp_path))
    assert "Run a broker" in done.stdout


class Health(BaseHTTPRequestHandler):
    status = 200

    def do_GET(self) -> None:
        self.send_response(self.status if self.path == "/health" else 404)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def port() -> Iterator[int]:
    server = HTTPServer(("127.0.0.1", 0), Health)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_health_check(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    [check] = all_of("HEALTHCHECK")
    _, _, command = check.partition("CMD ")
    program, *arguments = json.loads(command)
    assert program == "python"

    def code(at_port: int) -> int:
        environment = {**os.environ, "HEALTH_PORT": str(at_port)}
        run = [sys.executable, *arguments]
        return subprocess.run(run, env=environment, stderr=subprocess.DEVNULL).returncode

    assert code(port) == 0
    monkeypatch.setattr(Health, "status", 503)
    assert code(port) == 1
