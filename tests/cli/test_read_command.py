"""`magnetar read` goes from a place to the end."""

import json
import subprocess
import sys

from click.testing import CliRunner
from magnetar.testing import Broker
from magnetar_cli.main import cli

from tests.cli.test_produce_command import run


def test_from_a_message_on(magnetar_broker: Broker, magnetar_topic: str) -> None:
    for content in "abc":
        run(magnetar_broker, "produce", magnetar_topic, "-m", content)
    rows = run(magnetar_broker, "read", magnetar_topic, "-o", "json").splitlines()
    ledger_id, entry_id, *_ = json.loads(rows[1])["id"].strip("()").split(",")
    read = ["read", magnetar_topic]
    assert run(magnetar_broker, *read, "-m", f"{ledger_id}:{entry_id}") == "b\nc\n"
    assert run(magnetar_broker, *read, "-n", "1") == "a\n"


def test_a_place_that_cannot_be_is_refused() -> None:
    result = CliRunner().invoke(cli, ["read", "t", "-m", "first"])
    assert result.exit_code == 2
    assert "none of earliest, latest and LEDGER:ENTRY" in result.output


def test_a_reader_of_ours_that_has_enough_is_no_failure(
    magnetar_broker: Broker, magnetar_topic: str
) -> None:
    stdin = b"".join(b"%0500d\n" % number for number in range(500))  # more than a pipe holds
    run(magnetar_broker, "produce", magnetar_topic, stdin=stdin)
    command = [sys.executable, "-m", "magnetar_cli", "read", magnetar_topic]
    command += ["--url", magnetar_broker.service_url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as reading:
        assert reading.stdout is not None
        assert reading.stderr is not None
        assert int(reading.stdout.readline()) == 0
        reading.stdout.close()
        assert reading.stderr.read() == b""
    assert reading.returncode == 0
