"""The compose file: every command and its environment are read by the command itself."""

from collections import Counter
from typing import Any

import pytest
import yaml

from tests.deploy.dry_run import DEPLOY, DryRun

COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = [name for name, service in SERVICES.items() if service["image"] == "magnetar"]


def settings_of(name: str, dry_run: DryRun) -> Any:
    service = SERVICES[name]
    return dry_run(service["command"], service.get("environment", {}))


def test_who_is_there() -> None:
    kinds = Counter(name.partition("-")[0] for name in SERVICES)
    assert kinds == {"zookeeper": 1, "init": 1, "bookie": 3, "broker": 2}


@pytest.mark.parametrize("name", [name for name in OURS if name.startswith("bookie")])
def test_a_bookie(name: str, dry_run: DryRun) -> None:
    settings = settings_of(name, dry_run)
    assert settings.host == name
    assert settings.listen_hosts != ("127.0.0.1",)
    assert "//zookeeper:2181/" in settings.metadata_url
    assert SERVICES[name]["environment"]["HEALTH_PORT"] == str(settings.http_server_port)
    [volume] = SERVICES[name]["volumes"]
    source, _, target = volume.partition(":")
    assert source in COMPOSE["volumes"]
    for directory in (settings.journal_directories, settings.ledger_directories):
        assert directory.startswith(f"{target}/")


@pytest.mark.parametrize("name", [name for name in OURS if name.startswith("broker")])
def test_a_broker(name: str, dry_run: DryRun) -> None:
    settings = settings_of(name, dry_run)
    assert settings.advertised_address == name
    assert settings.metadata_url == "zk:zookeeper:2181"
    assert settings.ensemble_size <= 3
    listeners = {
        each.partition(":")[0]: each.partition(":")[2]
        for each in settings.advertised_listeners.split(",")
    }
    assert listeners["inside"] == f"pulsar://{name}:6650"
    published = {port.rpartition(":")[2]: port.split(":")[1] for port in SERVICES[name]["ports"]}
    assert listeners["outside"] == f"pulsar://localhost:{published['6650']}"
    assert all(port.startswith("127.0.0.1:") for port in SERVICES[name]["ports"])


def test_the_cluster_is_made_before(dry_run: DryRun) -> None:
    url = settings_of("init", dry_run)
    assert str(url) == "zk:zookeeper:2181"
    command = SERVICES["init"]["command"]
    broker = settings_of("broker-1", dry_run)
    assert command[command.index("--cluster") + 1] == broker.cluster_name


def test_who_waits_for_whom() -> None:
    for name, service in SERVICES.items():
        for needed, wanted in service.get("depends_on", {}).items():
            assert needed in SERVICES, name
            finishes = wanted["condition"] == "service_completed_successfully"
            assert finishes == (needed == "init")


def test_ports_of_the_host_differ() -> None:
    ports = [
        port.split(":")[1] for service in SERVICES.values() for port in service.get("ports", [])
    ]
    assert len(ports) == len(set(ports)) == 4
