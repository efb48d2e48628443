"""`magnetar cluster run`: its command line. The real thing is in tests/interop."""

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from magnetar_cli import cluster_run
from magnetar_cli.main import cli


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(cli, ["cluster", "run", *arguments])
    return result.exit_code, result.output


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--brokers", "0"), 2, "--brokers"),
        (("--metadata-store", "sqlite:x"), 2, "meet in ZooKeeper only"),
        (("--metadata-store", "nonsense"), 2, "is no metadata store"),
        (("--set-broker", "x"), 2, "expected key=value"),
        ((), 1, "ZOOKEEPER_HOME is /nowhere"),
    ],
)
def test_mistakes(
    monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], code: int, words: str
) -> None:
    monkeypatch.setenv("ZOOKEEPER_HOME", "/nowhere")
    found = run(*arguments)
    assert found[0] == code
    assert words in found[1]
    assert "Traceback" not in found[1]


def test_the_plan_of_the_command_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    given: list[Any] = []
    monkeypatch.setattr(cluster_run, "_run", lambda *args, **keys: given.append((args, keys)))
    url = ("--metadata-store", "zk:h:1")
    sizes = ("--brokers", "1", "--bookies", "1", "--base-port", "7000", "--no-restart")
    assert run(*url, *sizes, "--data-dir", str(tmp_path), "--set-bookie", "zkTimeout=1") == (0, "")
    [((plan, directory, program, _, output), keys)] = given
    assert (directory, program, output, keys) == (str(tmp_path), None, "text", {"restart": False})
    assert [(each.port, each.web_port) for each in plan.children] == [(7002, 7003), (7000, 7001)]
    assert "zkTimeout=1\n" in plan.bookies[0].files["bookkeeper.conf"]


def test_free_ports_differ() -> None:
    ports = cluster_run._ports(None, 20)
    assert len(set(ports)) == 20


def test_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.jar").touch()
    (tmp_path / "real").touch(mode=0o755)
    (tmp_path / "program").symlink_to("real")
    monkeypatch.setenv("PATH", str(tmp_path))
    machine = cluster_run.this_machine()
    assert machine.jars(str(tmp_path)) == ["a.jar"]
    assert machine.jars(str(tmp_path / "gone")) == []
    assert machine.program("program") == str(tmp_path / "real")
    assert machine.program("gone") is None
