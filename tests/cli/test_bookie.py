"""A bookie service on metadata in a file: it registers, serves, and refuses what is not its own."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from magnetar_cli.bookie import BookieService, open_bookie_service
from magnetar_metadata.bookie_registry import BookieEndpoint, BookieServiceInfo
from magnetar_metadata.cluster_metadata import NewCluster, init_cluster
from magnetar_metadata.cookies import Cookie, CookieRegistry
from magnetar_metadata.errors import UnknownLayoutError
from magnetar_metadata.ledger_layout import check_layout
from magnetar_metadata.ledger_metadata import DigestType, LedgerMetadata, Segment
from magnetar_metadata.ledger_registry import LedgerRegistry
from magnetar_metadata.metadata_url import open_store
from magnetar_metadata.store import MetadataError, MetadataStore
from magnetar_proto.bookie import HIGH_PRIORITY, RECOVERY_ADD, Status
from magnetar_proto.bookkeeper.requests import AddRequest, Request
from magnetar_proto.bookkeeper.responses import Response
from magnetar_proto.bookkeeper.stream import ResponseStream, encode_request
from magnetar_runtime.clock import SystemClock
from magnetar_runtime.settings_bookie import BookieServiceSettings
from magnetar_storage.disk_watch import Room
from magnetar_storage.errors import ConfigError, DirectoryError

from tests.storage.service.peer import KEY, LEDGER, add, entry, read

INSTANCE = "8a3d4a40-0000-4000-8000-000000000001"
LONG_LAYOUT = b"2\norg.apache.bookkeeper.meta.LongHierarchicalLedgerManagerFactory:1"


class Cluster:
    """Metadata in a file, directories for bookies."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.url = f"sqlite:{directory / 'metadata'}"

    def settings(self, name: str = "one", **more: Any) -> BookieServiceSettings:
        base = self.directory / name
        values: dict[str, Any] = {
            "bookie_port": 0,
            "metadata_service_uri": self.url,
            "journal_directories": str(base / "journal"),
            "ledger_directories": str(base / "ledgers"),
            "journal_max_mb": 1,
            "disk_full_share": 0.999,
            "disk_warn_share": 0.998,
            "http_server_port": 0,
            "disk_min_free_bytes": 1,
        }
        return BookieServiceSettings(**{**values, **more})

    @asynccontextmanager
    async def store(self) -> AsyncIterator[MetadataStore]:
        async with open_store(self.url, SystemClock(), make_root=True) as store:
            yield store

    async def init(self, instance_id: str = INSTANCE) -> None:
        async with self.store() as store:
            await init_cluster(store, NewCluster(name="test"), instance_id)

    async def cookie(self, bookie_id: str) -> Cookie | None:
        async with self.store() as store:
            found = await CookieRegistry(store).read(bookie_id)
        return None if found is None else found[0]

    async def run_once(self, name: str = "one", **more: Any) -> str:
        """Start and stop a bookie that keeps an entry; its id."""
        async with open_bookie_service(self.settings(name, **more), pytest.fail) as service:
            assert (await ask(service, add(0)))[0].status is Status.OK
            return service.bookie_id


@pytest.fixture
async def cluster(tmp_path: Path) -> Cluster:
    cluster = Cluster(tmp_path)
    await cluster.init()
    return cluster


async def ask(service: BookieService, *requests: Request) -> list[Response]:
    host, _, port = service.addresses[0].rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    parts: list[bytes] = []
    for request in requests:
        encode_request(request, parts)
    writer.writelines(parts)
    stream, found = ResponseStream(1 << 30), []
    while len(found) < len(requests):
        data = await reader.read(1 << 16)
        assert data
        found += stream.feed(data)
    writer.close()
    return found


async def test_it_is_registered_while_it_serves(cluster: Cluster) -> None:
    async with open_bookie_service(cluster.settings(), pytest.fail) as service:
        registry = service.registration._registry
        assert await registry.writable() == [service.bookie_id]
        port = int(service.addresses[0].rpartition(":")[2])
        info = BookieServiceInfo((BookieEndpoint("bookie", "127.0.0.1", port),))
        assert await registry.service_info(service.bookie_id) == info
        assert (await ask(service, add(0)))[0].status is Status.OK
    async with cluster.store() as store:
        assert await store.children("/ledgers/available") == ["readonly"]
    async with open_bookie_service(cluster.settings(), pytest.fail) as again:
        assert again.bookie_id == service.bookie_id
        (answer,) = await ask(again, read(0))
        assert answer.entry == entry(0)


async def test_its_cookie_is_bookkeepers_in_metadata_and_in_each_directory(
    cluster: Cluster,
) -> None:
    bookie_id = await cluster.run_once()
    base = cluster.directory / "one"
    cookie = Cookie(bookie_id, (f"{base}/journal",), (f"{base}/ledgers",), INSTANCE)
    assert await cluster.cookie(bookie_id) == cookie
    for name in ("journal", "ledgers"):
        assert Cookie.decode((base / name / "COOKIE").read_bytes()) == cookie


async def test_an_id_can_be_given_and_stays(cluster: Cluster) -> None:
    assert await cluster.run_once(bookie_id="127.0.0.1:3181") == "127.0.0.1:3181"
    assert await cluster.run_once() == "127.0.0.1:3181"
    with pytest.raises(DirectoryError, match="not of other:3181"):
        await cluster.run_once(bookie_id="other:3181")
    with pytest.raises(ConfigError, match="bookieId"):
        await cluster.run_once("two", bookie_id="read only")


async def test_wiped_directories_of_a_known_bookie_stay_empty(cluster: Cluster) -> None:
    await cluster.run_once(bookie_id="one:3181")
    shutil.rmtree(cluster.directory / "one")
    with pytest.raises(DirectoryError, match="the cluster knows bookie one:3181 with 1"):
        await cluster.run_once(bookie_id="one:3181")
    assert not (cluster.directory / "one").exists()


@pytest.mark.parametrize("name", ["journal", "ledgers"])
async def test_one_wiped_directory_is_noticed(cluster: Cluster, name: str) -> None:
    await cluster.run_once()
    shutil.rmtree(cluster.directory / "one" / name)
    with pytest.raises(DirectoryError):
        await cluster.run_once()


async def test_a_cluster_of_another_instance_is_refused(cluster: Cluster) -> None:
    await cluster.run_once()
    async with cluster.store() as store:
        await store.set("/ledgers/INSTANCEID", b"another")
    with pytest.raises(DirectoryError, match=f"instance id {INSTANCE}.* of another"):
        await cluster.run_once()


async def test_directories_of_another_cluster_are_refused_though_ids_of_ledgers_are_the_same(
    cluster: Cluster, tmp_path: Path
) -> None:
    bookie_id = await cluster.run_once()
    other = Cluster(tmp_path / "other")
    other.directory.mkdir()
    await other.init("other")
    shutil.copytree(cluster.directory / "one", other.directory / "one")
    with pytest.raises(DirectoryError, match=INSTANCE):
        await other.run_once()
    for cookie in other.directory.glob("one/*/COOKIE"):
        cookie.unlink()
    async with other.store() as store:
        await LedgerRegistry(store).create(LEDGER, ledger_of("somebody"))
    with pytest.raises(DirectoryError, match="knows none"):
        await other.run_once()
    assert await other.cookie(bookie_id) is None


async def test_directories_of_a_standalone_are_served_where_metadata_knows_their_ledgers(
    cluster: Cluster, tmp_path: Path
) -> None:
    bookie_id = await cluster.run_once()
    moved = Cluster(tmp_path / "moved")
    moved.directory.mkdir()
    await moved.init("moved")
    shutil.copytree(cluster.directory / "one", moved.directory / "one")
    for cookie in moved.directory.glob("one/*/COOKIE"):
        cookie.unlink()  # a standalone has none
    async with moved.store() as store:
        await LedgerRegistry(store).create(LEDGER, ledger_of(bookie_id))
    async with open_bookie_service(moved.settings(), pytest.fail) as service:
        (answer,) = await ask(service, read(0))
        assert answer.entry == entry(0)
    cookie = await moved.cookie(bookie_id)
    assert cookie is not None
    assert cookie.instance_id == "moved"


def ledger_of(bookie_id: str) -> LedgerMetadata:
    return LedgerMetadata(
        ensemble_size=1,
        write_quorum=1,
        ack_quorum=1,
        digest_type=DigestType.CRC32C,
        password=b"",
        segments=(Segment(0, (bookie_id,)),),
    )


async def test_a_bookie_that_was_removed_from_the_cluster_does_not_come_back(
    cluster: Cluster,
) -> None:
    bookie_id = await cluster.run_once()
    async with cluster.store() as store:
        await CookieRegistry(store).delete(bookie_id)
    with pytest.raises(DirectoryError, match="has no cookie"):
        await cluster.run_once()


async def test_without_a_cluster_it_does_not_start(tmp_path: Path) -> None:
    empty = Cluster(tmp_path)
    async with empty.store():
        pass
    with pytest.raises(MetadataError, match="magnetar cluster init"):
        await empty.run_once()
    assert not (tmp_path / "one").exists()


async def test_where_ledgers_stand_elsewhere_it_does_not_start(cluster: Cluster) -> None:
    async with cluster.store() as store:
        await store.set("/ledgers/LAYOUT", LONG_LAYOUT)
    with pytest.raises(UnknownLayoutError, match="LongHierarchicalLedgerManagerFactory:1"):
        await cluster.run_once()
    assert not (cluster.directory / "one").exists()


async def test_it_settles_the_layout_of_a_cluster_that_has_none_yet(cluster: Cluster) -> None:
    async with cluster.store() as store:
        await store.delete("/ledgers/LAYOUT")  # as after Pulsar's initialize-cluster-metadata
    await cluster.run_once()
    async with cluster.store() as store:
        await check_layout(store, required=True)


async def test_a_full_disk_turns_it_read_only_in_metadata_and_back(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("magnetar_cli.bookie._STATE_INTERVAL_MS", 1)
    async with open_bookie_service(cluster.settings(), pytest.fail) as service:
        await ask(service, add(0))
        registry, ledgers = service.registration._registry, service.bookie.engines[0].path
        service.bookie.set_rooms({ledgers: Room.NONE})
        while await registry.writable():
            await asyncio.sleep(0.01)
        assert await registry.read_only() == [service.bookie_id]
        answers = await ask(service, add(1), read(0))
        assert {each.status for each in answers} == {Status.READ_ONLY, Status.OK}
        service.bookie.set_rooms({ledgers: Room.ENTRIES})
        while not await registry.writable():
            await asyncio.sleep(0.01)
        assert (await ask(service, add(1)))[0].status is Status.OK


@pytest.mark.parametrize(
    ("path", "value"),
    [
        pytest.param("/ledgers/INSTANCEID", b"another", id="of another cluster"),
        pytest.param("/ledgers/LAYOUT", LONG_LAYOUT, id="laid out otherwise"),
    ],
)
async def test_garbage_is_not_collected_by_metadata(
    cluster: Cluster, path: str, value: bytes
) -> None:
    settings = cluster.settings(gc_wait_time_ms=1)
    async with open_bookie_service(settings, pytest.fail) as service:
        store = service.registration._registry._store
        node = await store.get(path)
        assert node is not None
        await store.set(path, value)
        await asyncio.sleep(0.05)
        await ask(service, add(0))
        await asyncio.sleep(0.05)
        assert service.bookie.ledger_ids == [LEDGER]
        await store.set(path, node.value)
        while service.bookie.ledger_ids:
            await asyncio.sleep(0.001)


async def test_http_answers_as_bookkeepers(cluster: Cluster) -> None:
    settings = cluster.settings(http_server_enabled=True)
    async with (
        open_bookie_service(settings, pytest.fail) as service,
        aiohttp.ClientSession() as session,
    ):
        base = f"http://{service.web_addresses[0]}"
        await ask(service, add(0))
        async with session.get(f"{base}/heartbeat") as answer:
            assert await answer.text() == "OK\n"
        async with session.get(f"{base}/api/v1/bookie/state") as answer:
            assert await answer.json() == {
                "running": True,
                "readOnly": False,
                "shuttingDown": False,
                "availableForHighPriorityWrites": True,
            }
        async with session.get(f"{base}/metrics") as answer:
            text = await answer.text()
        assert 'bookkeeper_server_ADD_ENTRY_count{success="true"} 1\n' in text
        assert "magnetar_bookie_connections_opened_total 1\n" in text
        assert "process_cpu_seconds_total " in text
        info = await service.registration._registry.service_info(service.bookie_id)
        assert info is not None
        assert [each.protocol for each in info.endpoints] == ["bookie-rpc", "http"]


@asynccontextmanager
async def web(
    cluster: Cluster, **more: Any
) -> AsyncIterator[tuple[BookieService, aiohttp.ClientSession]]:
    """A bookie, and a session whose paths are those below `/api/v1/bookie/`."""
    settings = cluster.settings(http_server_enabled=True, **more)
    async with open_bookie_service(settings, pytest.fail) as service:
        base = f"http://{service.web_addresses[0]}/api/v1/bookie/"
        async with aiohttp.ClientSession(base_url=base) as session:
            yield service, session


async def put(session: aiohttp.ClientSession, path: str, body: Any = None) -> tuple[int, Any]:
    async with session.put(path, json=body) as answer:
        return answer.status, json.loads(await answer.text())


async def test_an_operator_makes_it_read_only_and_writable(cluster: Cluster) -> None:
    async with web(cluster) as (service, session):
        registry = service.registration._registry
        assert await put(session, "state/readonly", {"readOnly": True}) == (200, {"readOnly": True})
        assert await registry.read_only() == [service.bookie_id]
        assert await registry.writable() == []
        async with session.get("state/readonly") as answer:
            assert await answer.json() == {"readOnly": True}
        async with session.get("state") as answer:
            state = await answer.json()
        assert (state["readOnly"], state["availableForHighPriorityWrites"]) == (True, True)
        recovery = add(0)._replace(flags=RECOVERY_ADD | HIGH_PRIORITY)
        answers = await ask(service, add(1), recovery)
        assert [(each.entry_id, each.status) for each in answers] == [
            (1, Status.READ_ONLY),
            (0, Status.OK),
        ]
        assert (await put(session, "state/readonly", {"readOnly": False}))[1] == {"readOnly": False}
        assert await registry.writable() == [service.bookie_id]
        assert (await ask(service, add(1)))[0].status is Status.OK


@pytest.mark.parametrize(("kept", "after"), [(True, True), (False, False)])
async def test_a_restart_forgets_the_operator_unless_it_is_to_be_kept(
    cluster: Cluster, kept: bool, after: bool
) -> None:
    async with web(cluster, persist_status=kept) as (_, session):
        await put(session, "state/readonly", {"readOnly": True})
    async with web(cluster, persist_status=kept) as (service, session):
        assert service.bookie.read_only is after
        assert bool(await service.registration._registry.read_only()) is after


async def test_what_an_operator_may_not_do_is_refused_in_bookkeepers_words(
    cluster: Cluster,
) -> None:
    async with (
        web(cluster, force_read_only=True) as (service, session),
        session.put("state/readonly", json={"readOnly": False}) as answer,
    ):
        assert (answer.status, await answer.text()) == (
            400,
            "Bookie is in forceReadOnly mode, cannot transit to writable mode",
        )
        assert service.bookie.read_only
    async with web(cluster, read_only_mode_enabled=False) as (service, session):
        for body, words in (
            ({"readOnly": True}, "disabled ReadOnly mode"),
            ({"readOnly": "yes"}, "the body must be"),
            ([], "the body must be"),
        ):
            async with session.put("state/readonly", json=body) as answer:
                assert answer.status == 400
                assert words in await answer.text()
        assert not service.bookie.read_only


async def test_room_and_readiness_over_http(cluster: Cluster) -> None:
    async with web(cluster) as (service, session):
        async with session.get("info") as answer:
            info = await answer.json()
        assert 0 < info["freeSpace"] < info["totalSpace"]
        async with session.get("is_ready") as answer:
            assert (answer.status, await answer.text()) == (200, "OK")
        service.bookie.failure = OSError("planted")
        async with session.get("is_ready") as answer:
            assert answer.status == 503


async def test_garbage_is_collected_when_an_operator_wants_it(cluster: Cluster) -> None:
    async with web(cluster, gc_wait_time_ms=3_600_000) as (service, session):
        await ask(service, add(0))
        assert service.bookie.ledger_ids == [LEDGER]
        status, text = await put(session, "gc", {"forceMajor": True, "forceMinor": False})
        assert (status, text) == (200, f"Triggered GC on BookieServer: {service.bookie_id}")
        running = True
        while running:
            async with session.get("gc") as answer:
                running = (await answer.json())["is_in_force_gc"] == "true"
        assert service.bookie.ledger_ids == []
        async with session.put("gc", data=b"soon") as answer:
            assert answer.status == 400


async def test_a_frame_over_the_configured_limit_costs_the_connection(cluster: Cluster) -> None:
    async with open_bookie_service(cluster.settings(max_frame_bytes=2000), pytest.fail) as service:
        assert (await ask(service, add(0, size=1000)))[0].status is Status.OK
        host, _, port = service.addresses[0].rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        parts: list[bytes] = []
        request: AddRequest = add(1, key=KEY, size=3000)
        encode_request(request, parts)
        writer.writelines(parts)
        with pytest.raises(ConnectionError):
            if not await reader.read(1):
                raise ConnectionResetError
        writer.close()
