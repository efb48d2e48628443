"""The sample configurations: read without a warning, a comment at each line, nothing surprising."""

import pytest
from magnetar_runtime.conf import read_conf

from tests.deploy.dry_run import DEPLOY, DryRun


@pytest.mark.parametrize("name", ["broker.conf", "bookkeeper.conf"])
def test_each_line_has_its_comment(name: str) -> None:
    lines = (DEPLOY / "conf" / name).read_text().splitlines()
    keys = [number for number, line in enumerate(lines) if line and not line.startswith("#")]
    assert len(keys) == len(read_conf("\n".join(lines))) > 15
    for number in keys:
        assert lines[number - 1].startswith("# "), lines[number]


def test_the_broker_takes_its_own(dry_run: DryRun) -> None:
    settings = dry_run(["broker", "--config", "/etc/magnetar/broker.conf"], {})
    assert settings.cluster_name == "magnetar"
    assert (settings.broker_service_port, settings.web_service_port) == (6650, 8080)
    assert (settings.ensemble_size, settings.write_quorum, settings.ack_quorum) == (3, 3, 2)


def test_the_bookie_takes_its_own(dry_run: DryRun) -> None:
    settings = dry_run(["bookie", "--config", "/etc/magnetar/bookkeeper.conf"], {})
    assert (settings.bookie_port, settings.http_server_port) == (3181, 8000)
    assert settings.auto_recovery_daemon_enabled
    assert settings.journal_sync_data
    # Loopback until it is told where others find it.
    assert settings.listen_hosts == ("127.0.0.1",)
