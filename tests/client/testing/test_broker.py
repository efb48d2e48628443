"""A broker in a process: its life, its data over a kill, its messages when something is wrong."""

from pathlib import Path

import pulsar
import pytest
from magnetar.testing import Broker, BrokerError, Fault

TIMEOUT_MS = 20_000


def client_of(url: str) -> pulsar.Client:
    return pulsar.Client(url, logger=pulsar.ConsoleLogger(pulsar.LoggerLevel.Error))


@pytest.mark.official
def test_data_outlive_a_kill_and_a_restart(tmp_path: Path) -> None:
    with Broker(tmp_path, {"dispatcherMaxReadBatchSize": "50"}) as broker:
        client = client_of(broker.service_url)
        consumer = client.subscribe("topic", "sub")
        producer = client.create_producer("topic")
        producer.send(b"one")
        broker.kill()
        assert not broker.running
        broker.start()
        assert consumer.receive(TIMEOUT_MS).data() == b"one"
        producer.send(b"two")
        broker.restart()
        broker.pause()
        broker.resume()
        client.close()
        client = client_of(broker.service_url)
        consumer = client.subscribe("topic", "sub")
        assert consumer.receive(TIMEOUT_MS).data() == b"one"
        with broker.fault() as proxy:
            through = client_of(proxy.service_url)
            producer = through.create_producer("other")
            proxy.apply(Fault.CUT)
            producer.send(b"after the cut")
            assert proxy.accepted > 1
            through.close()
        client.close()
        broker.stop()
        broker.stop()  # once more does nothing
        assert "ready in" in broker.output()
    broker.wipe()
    assert not tmp_path.exists()


def test_what_went_wrong_is_in_the_error(tmp_path: Path) -> None:
    with pytest.raises(BrokerError, match=r"ended with 2:\n(?s:.*)keepAliveIntervalSeconds"):
        Broker(tmp_path, {"keepAliveIntervalSeconds": "often"}).start()


def test_a_missing_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(BrokerError, match=r"magnetar\[server\]"):
        Broker(tmp_path).start()
