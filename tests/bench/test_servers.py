"""How the servers are started."""

from pathlib import Path

import pytest

from bench import servers
from bench.ports import free_port
from bench.servers import ApachePulsar, Magnetar, NullServer, PulsarLite


def test_magnetar_gets_settings_and_ports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAGNETAR", "some magnetar")
    server = Magnetar(tmp_path, {"a": "1"})
    command = server._command()
    assert command[:3] == ["some", "magnetar", "standalone"]
    assert f"brokerServicePort={server.port}" in command
    assert "a=1" in command
    assert server.service_url == f"pulsar://127.0.0.1:{server.port}"
    assert server.web_url == f"http://127.0.0.1:{server.web_port}"


def test_apache_gets_a_conf_file(tmp_path: Path) -> None:
    server = ApachePulsar(tmp_path, {"a": "1"}, synced=False)
    script, verb, conf = server._command()
    assert (Path(script), verb) == (servers.APACHE, "standalone")
    assert Path(script).exists()
    lines = Path(conf).read_text().splitlines()
    assert {"a=1", f"brokerServicePort={server.port}"} <= set(lines)
    assert server._environment()["PEER_FSYNC"] == "false"


def test_lite_binary_is_given_by_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PULSAR_LITE", "binary")
    server = PulsarLite(tmp_path)
    assert server._command()[:3] == ["binary", "--addr", f"127.0.0.1:{server.port}"]


def test_start_stop_and_wipe(tmp_path: Path) -> None:
    server = NullServer(tmp_path / "null")
    assert server.start() > 0
    server.stop()
    assert server.data_directory.is_dir()
    server.wipe()
    assert not server.directory.exists()


def test_nobody_answers_http() -> None:
    assert servers.get(free_port(), "/") == (0, b"")
