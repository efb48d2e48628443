"""Servers are found ready, and stop when asked."""

from pathlib import Path

import pytest

from bench.errors import ServerError
from bench.processes import ServerProcess


def test_line_is_waited_for_and_stop_is_clean(tmp_path: Path) -> None:
    script = "echo it is ready; trap 'exit 7' TERM; sleep 60 & wait"
    process = ServerProcess(["sh", "-c", script], tmp_path / "log")
    assert process.wait_for_line("ready", 5) == "it is ready"
    assert process.terminate() == 7
    assert not process.alive


def test_early_end_is_an_error_with_the_output(tmp_path: Path) -> None:
    process = ServerProcess(["sh", "-c", "echo no way; exit 3"], tmp_path / "log")
    with pytest.raises(ServerError, match="exit 3:\nno way"):
        process.wait_for_line("ready", 5)
    process.kill()


def test_silence_is_an_error(tmp_path: Path) -> None:
    process = ServerProcess(["sleep", "60"], tmp_path / "log")
    with pytest.raises(ServerError, match="no 'ready'"):
        process.wait_for_line("ready", 0.01)
    process.kill()


def test_output_of_an_earlier_process_does_not_count(tmp_path: Path) -> None:
    ServerProcess(["sh", "-c", "echo ready"], tmp_path / "log").wait_for_line("ready", 5)
    process = ServerProcess(["sleep", "60"], tmp_path / "log")
    with pytest.raises(ServerError, match="no 'ready'"):
        process.wait_for_line("ready", 0.01)
    process.kill()


def test_a_signal_to_all_is_not_waited_for(tmp_path: Path) -> None:
    process = ServerProcess(["sleep", "60"], tmp_path / "log")
    process.signal_kill()
    assert process.wait(5) == -9
    process.kill()
