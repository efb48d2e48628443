"""`magnetar cluster init`, cookies and registrations beside those of Apache's tools and bookie."""

import os
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from magnetar_metadata.bookie_registry import BookieEndpoint, BookieRegistry, BookieServiceInfo
from magnetar_metadata.cookies import Cookie, CookieRegistry
from magnetar_metadata.store import MetadataStore
from magnetar_metadata.zookeeper import ZooKeeperStore

from bench.ports import free_port
from bench.processes import ServerProcess
from bench.servers import APACHE, magnetar_command
from tests.interop.zookeeper_server import ApacheZooKeeper

pytestmark = pytest.mark.interop

ONLY_APACHE = ("/pulsar", "/stream")
"""BookKeeper's table service, for the state of functions."""

ONLY_MAGNETAR = {
    "/ledgers/LAYOUT",  # `initnewcluster` makes it, and so does the first client
    "/ledgers/cookies",  # the first bookie makes it
}


@pytest.fixture
async def store(apache_zookeeper: ApacheZooKeeper) -> AsyncIterator[ZooKeeperStore]:
    """The whole server."""
    store = await ZooKeeperStore.open(apache_zookeeper.hosts)
    yield store
    await store.close()


async def nodes_below(store: MetadataStore, root: str) -> dict[str, bytes]:
    """Values by path, `root` taken off."""
    found: dict[str, bytes] = {}
    paths = [root]
    while paths:
        path = paths.pop()
        node = await store.get(path or "/")
        assert node is not None
        found[path.removeprefix(root) or "/"] = node.value
        paths += [f"{path}/{name}" for name in await store.children(path or "/")]
    return found


def apache(directory: Path, *arguments: str) -> None:
    # With an archive of its classes Java tells the fields of JSON in another order.
    quiet = {"PEERS_DATA": str(directory), "PEER_LOG": "warn", "PEERS_QUICK": ""}
    environment = os.environ | quiet
    done = subprocess.run(
        [str(APACHE), *arguments], capture_output=True, text=True, timeout=120, env=environment
    )
    assert done.returncode == 0, done.stdout + done.stderr


def magnetar_init(url: str, *arguments: str) -> str:
    command = [*magnetar_command(), "cluster", "init", "--metadata-store", url, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


async def test_a_cluster_is_that_of_apaches_tools_byte_for_byte(
    apache_zookeeper: ApacheZooKeeper, store: ZooKeeperStore, tmp_path: Path
) -> None:
    await store.create("/theirs", b"")
    apache(tmp_path, "init-pulsar", f"{apache_zookeeper.hosts}/theirs")
    urls = ("-uw", "http://127.0.0.1:8080", "-ub", "pulsar://127.0.0.1:6650")
    magnetar_init(f"zk:{apache_zookeeper.hosts}/ours", "-c", "peers", *urls)
    theirs, ours = await nodes_below(store, "/theirs"), await nodes_below(store, "/ours")
    assert len(theirs.pop("/ledgers/INSTANCEID")) == len(ours.pop("/ledgers/INSTANCEID")) == 36
    assert {path for path in ours if path not in theirs} == ONLY_MAGNETAR
    left_out = {path for path in theirs if path not in ours}
    assert {path for path in left_out if not path.startswith(ONLY_APACHE)} == set()
    for path in theirs.keys() & ours.keys():
        assert ours[path] == theirs[path], path
    # And each takes the other's for its own.
    assert "was initialised already" in magnetar_init(
        f"zk:{apache_zookeeper.hosts}/ours", "-c", "peers", *urls
    )
    apache(tmp_path, "init-pulsar", f"{apache_zookeeper.hosts}/ours")
    again = await nodes_below(store, "/ours")
    assert {path: again[path] for path in ours} == ours


async def test_bookkeepers_part_is_that_of_its_shell(
    apache_zookeeper: ApacheZooKeeper, store: ZooKeeperStore, tmp_path: Path
) -> None:
    await store.create("/shell", b"")
    apache(tmp_path, "init-bookkeeper", f"{apache_zookeeper.hosts}/shell")
    magnetar_init(f"zk:{apache_zookeeper.hosts}/shells")
    theirs, ours = await nodes_below(store, "/shell"), await nodes_below(store, "/shells")
    ours = {path: value for path, value in ours.items() if path.startswith("/ledgers")}
    assert ours.pop("/ledgers/cookies") == b""
    del theirs["/"]
    assert ours.keys() == theirs.keys()
    assert {path for path in ours if ours[path] != theirs[path]} == {"/ledgers/INSTANCEID"}


async def test_apaches_bookie_serves_our_cluster_and_writes_our_bytes(
    apache_zookeeper: ApacheZooKeeper, store: ZooKeeperStore, tmp_path: Path
) -> None:
    magnetar_init(f"zk+null://{apache_zookeeper.hosts}/ledgers")
    port = free_port()
    directories = {"PEERS_DATA": str(tmp_path), "PEER_LOG": "warn"}
    log = tmp_path / "bookie.log"
    bookie = ServerProcess(
        [str(APACHE), "bookie", str(port), apache_zookeeper.hosts], log, directories
    )
    try:
        bookie_id = f"127.0.0.1:{port}"
        registry = BookieRegistry(store)
        while bookie_id not in await registry.writable():
            bookie.check_alive()
            await store.sync("/")
        node = await store.get(f"/ledgers/available/{bookie_id}")
        assert node is not None
        info = BookieServiceInfo((BookieEndpoint("bookie", "127.0.0.1", port),))
        assert info.encode() == node.value
        assert await registry.service_info(bookie_id) == info

        instance_id = await store.get("/ledgers/INSTANCEID")
        assert instance_id is not None
        base = f"{tmp_path}/bookie-{port}"
        cookie = Cookie(
            bookie_id, (f"{base}/journal",), (f"{base}/ledgers",), instance_id.value.decode()
        )
        node = await store.get(f"/ledgers/cookies/{bookie_id}")
        assert node is not None
        assert cookie.encode() == node.value
        assert (Path(base) / "ledgers" / "current" / "VERSION").read_bytes() == cookie.encode()
        found = await CookieRegistry(store).read(bookie_id)
        assert found is not None
        assert found[0] == cookie
    finally:
        bookie.kill()
