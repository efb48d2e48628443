"""The metadata of a standalone that has run, copied into the real Apache ZooKeeper."""

import json
import subprocess

import pytest
from magnetar_metadata.ledger_registry import LedgerRegistry
from magnetar_metadata.metadata_copy import read_tree
from magnetar_metadata.metadata_url import open_store
from magnetar_metadata.topic_records import TopicRecords
from magnetar_metadata.zookeeper import ZooKeeperStore
from magnetar_runtime.clock import SystemClock

from bench.servers import Magnetar, magnetar_command
from tests.interop.official import Session
from tests.interop.zookeeper_server import ApacheZooKeeper

pytestmark = [pytest.mark.interop, pytest.mark.official]

IDS_GIVEN = 2_000


def copy(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [*magnetar_command(), "metadata", "copy", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def run_standalone(server: Magnetar, topic: str) -> None:
    server.start()
    with Session(server) as session:
        session.client.create_producer(topic).send(b"kept")
    server.stop()


async def test_a_standalones_metadata_moves_to_zookeeper(
    apache_zookeeper: ApacheZooKeeper, own_magnetar: Magnetar
) -> None:
    run_standalone(own_magnetar, "persistent://public/default/moved")
    source = f"sqlite:{own_magnetar.data_directory}"
    target = f"zk:{apache_zookeeper.hosts}/moved"
    async with open_store(source, SystemClock()) as old:
        ids = [await LedgerRegistry(old).new_ledger_id() for _ in range(IDS_GIVEN)]
        refused = copy(source, target)
        assert (refused.returncode, "stop the standalone first" in refused.stderr) == (3, True)
        expected = (await read_tree(old, lambda *_: None)).values
        ledgers = await LedgerRegistry(old).list_ids()
    done = copy(source, target, "-o", "json")
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    assert facts["verified"] == facts["made"] == len(expected)

    store = await ZooKeeperStore.open(apache_zookeeper.hosts, "/moved")
    try:
        found = (await read_tree(store, lambda *_: None)).values
        assert {path: found[path] for path in expected} == expected
        assert {path for path in found if path not in expected} == {
            "/ledgers/INSTANCEID",
            "/ledgers/LAYOUT",
            "/ledgers/available",
            "/ledgers/available/readonly",
        }
        registry = LedgerRegistry(store)
        assert await registry.list_ids() == ledgers
        assert await registry.new_ledger_id() == facts["ledger_ids_from"] > max(ids)
        assert await TopicRecords(store).namespaces.read("public/default") is not None
    finally:
        await store.close()
    again = copy(source, target)
    assert (again.returncode, "--into-non-empty" in again.stderr) == (1, True)
