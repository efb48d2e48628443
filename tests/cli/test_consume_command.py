"""`magnetar consume` acknowledges what it has written, and no more."""

from magnetar.testing import Broker

from tests.cli.test_produce_command import run


def test_what_was_written_does_not_come_again(magnetar_broker: Broker, magnetar_topic: str) -> None:
    run(magnetar_broker, "produce", magnetar_topic, "-m", "a", "-m", "b", "-m", "c")
    consume = ["consume", magnetar_topic, "-s", "sub", "-p", "earliest"]
    assert run(magnetar_broker, *consume, "-n", "2") == "a\nb\n"
    assert run(magnetar_broker, *consume, "-n", "0", "--timeout", "0.3") == "c\n"
    assert run(magnetar_broker, *consume, "--timeout", "0.1") == ""


def test_a_pattern_and_a_type(magnetar_broker: Broker, magnetar_topic: str) -> None:
    run(magnetar_broker, "produce", magnetar_topic, "-m", "a")
    options = ["-s", "s", "-p", "earliest", "-t", "shared", "-o", "line"]
    line = run(magnetar_broker, "consume", "-r", f"{magnetar_topic}.*", *options)
    assert line.endswith("] a\n")
