"""The plugin as a user has it: installed by its entry point, in a run of pytest of its own."""

import subprocess
import sys
from pathlib import Path

USERS_TESTS = """
import pulsar


def test_messages(magnetar_broker, magnetar_topic):
    client = pulsar.Client(magnetar_broker.service_url)
    consumer = client.subscribe(magnetar_topic, "s")
    client.create_producer(magnetar_topic).send(b"x")
    assert consumer.receive(20_000).data() == b"x"
    client.close()


def test_the_broker_is_the_same_and_the_topic_another(magnetar_broker, magnetar_topic):
    assert magnetar_broker.running
    assert magnetar_topic == "persistent://public/default/" + (
        "test-the-broker-is-the-same-and-the-topic-another-1"
    )


def test_faults(magnetar_own_broker, magnetar_chaos):
    assert magnetar_chaos.service_url != magnetar_own_broker.service_url
    magnetar_own_broker.restart()
"""


def test_a_user_has_the_fixtures(tmp_path: Path) -> None:
    (tmp_path / "test_user.py").write_text(USERS_TESTS)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_user.py"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "3 passed" in run.stdout
