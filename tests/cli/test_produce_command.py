"""`magnetar produce` against a broker, looked at with `magnetar read`."""

import io
import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from magnetar.errors import TopicTerminated
from magnetar.testing import Broker
from magnetar_cli import produce_command
from magnetar_cli.main import cli
from magnetar_cli.stdin_lines import lines_of


def run(broker: Broker, *arguments: str, stdin: bytes = b"") -> str:
    command = [*arguments, "--url", broker.service_url]
    result = CliRunner().invoke(cli, command, input=stdin)
    assert result.exit_code == 0, result.output
    return result.stdout


def read(broker: Broker, topic: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in run(broker, "read", topic, "-o", "json").splitlines()]


def test_messages_and_files_with_keys_and_properties(
    magnetar_broker: Broker, magnetar_topic: str, tmp_path: Path
) -> None:
    (tmp_path / "file").write_bytes(b"two\nlines")
    options = ["-m", "one", "-f", str(tmp_path / "file"), "-n", "2", "-k", "key", "-p", "a=1=2"]
    run(magnetar_broker, "produce", magnetar_topic, *options, "--event-time", "7")
    messages = read(magnetar_broker, magnetar_topic)
    assert [each["content"] for each in messages] == ["one", "two\nlines"] * 2
    assert {each["key"] for each in messages} == {"key"}
    assert {each["event_time_ms"] for each in messages} == {7}
    assert messages[0]["properties"] == {"a": "1=2"}


def test_lines_of_stdin_with_keys(magnetar_broker: Broker, magnetar_topic: str) -> None:
    stdin = b"k1:a\r\nb\nk2::c"
    run(magnetar_broker, "produce", magnetar_topic, "--key-separator", ":", stdin=stdin)
    messages = read(magnetar_broker, magnetar_topic)
    assert [each["content"] for each in messages] == ["a", "b", ":c"]
    assert [each.get("key") for each in messages] == ["k1", None, "k2"]


def test_many_lines_stay_in_order(magnetar_broker: Broker, magnetar_topic: str) -> None:
    stdin = b"".join(b"%d\n" % number for number in range(1500))
    run(magnetar_broker, "produce", magnetar_topic, "--compression", "lz4", stdin=stdin)
    assert run(magnetar_broker, "read", magnetar_topic, "-o", "content").encode() == stdin


def test_a_line_that_is_too_long_is_named_and_not_cut(
    magnetar_broker: Broker, magnetar_topic: str
) -> None:
    command = ["produce", magnetar_topic, "--url", magnetar_broker.service_url]
    stdin = b"first\n" + b"x" * (5 * 1024 * 1024 + 1) + b"\nlast\n"
    result = CliRunner().invoke(cli, command, input=stdin)
    assert result.exit_code == 1
    assert "line 2 is longer than 5 MiB" in result.output
    assert "-f" in result.output
    assert [each["content"] for each in read(magnetar_broker, magnetar_topic)] == ["first"]


class FailingProducer:
    """Refuses what it was sent when it is flushed."""

    def __init__(self) -> None:
        self._told: list[Callable[[Exception, None], None]] = []

    async def room(self) -> None:
        pass

    def send_async(self, content: bytes, told: Callable[[Exception, None], None]) -> None:
        self._told.append(told)

    async def flush(self) -> None:
        for told in self._told:
            told(TopicTerminated("no more"), None)


async def test_before_a_line_that_is_too_long_failures_are_told() -> None:
    stream = io.BytesIO(b"first\n" + b"x" * (5 * 1024 * 1024 + 1))
    producer: Any = FailingProducer()
    with pytest.raises(TopicTerminated):
        await produce_command._send_all(producer, lines_of(stream), 0, None, {})


@pytest.mark.parametrize("by_terminal", [True, False])
def test_ctrl_c_ends_it_while_stdin_is_open(
    magnetar_broker: Broker, magnetar_topic: str, by_terminal: bool
) -> None:
    ours, its = pty.openpty() if by_terminal else reversed(os.pipe())
    command = [sys.executable, "-m", "magnetar_cli", "produce", magnetar_topic]
    command += ["--url", magnetar_broker.service_url]
    with subprocess.Popen(command, stdin=its, stderr=subprocess.PIPE) as producing:
        os.write(ours, b"one\n")
        given_up_s = time.monotonic() + 20
        while not (found := read(magnetar_broker, magnetar_topic)):
            assert time.monotonic() < given_up_s
        assert [each["content"] for each in found] == ["one"]
        began_s = time.monotonic()
        producing.send_signal(signal.SIGINT)
        assert producing.wait(10) == 130
        assert time.monotonic() - began_s < 3
        assert producing.stderr is not None
        assert producing.stderr.read().strip() == b""
    os.close(ours)
    os.close(its)
