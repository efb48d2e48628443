"""Who is up is read again when it may have changed, and not for each lookup."""

import asyncio

import pytest
from magnetar_broker.ownership.broker_directory import REPORTS_KEPT_MS, BrokerDirectory
from magnetar_metadata.broker_addresses import BrokerAddresses, LeaderRecord, Urls
from magnetar_metadata.broker_registration import BrokerRegistry
from magnetar_metadata.leader_election import LeaderElection
from magnetar_metadata.load_report import BundleLoad, LoadReport
from magnetar_metadata.memory import MemoryStore
from magnetar_metadata.namespace_bundles import Bundle

from tests.metadata.clocks import ManualClock

BUNDLE = Bundle("t/n", 0, 5)


def report_of(name: str, *bundles: str) -> LoadReport:
    urls = Urls(web=f"http://{name}")
    loads = {bundle: BundleLoad() for bundle in bundles}
    return LoadReport(addresses=BrokerAddresses(urls=urls), bundles=loads)


class World:
    def __init__(self) -> None:
        self.clock = ManualClock()
        self.store = MemoryStore(self.clock)
        self.registry = BrokerRegistry(self.store)
        self.other = BrokerRegistry(self.store.new_session())
        self.election = LeaderElection(self.store, LeaderRecord("a:1", "http://a:1"))
        self.directory = BrokerDirectory(self.registry, self.election, "a:1", self.clock)


@pytest.fixture
async def world() -> World:
    world = World()
    await world.registry.register("a:1", report_of("a:1"), 1)
    return world


async def test_reports_are_kept_for_a_second(world: World) -> None:
    assert list(await world.directory.reports()) == ["a:1"]
    await world.registry.report("a:1", report_of("a:1", "x"))
    assert not (await world.directory.reports())["a:1"].bundles
    world.clock.now_ms += REPORTS_KEPT_MS
    assert (await world.directory.reports())["a:1"].bundles


async def test_who_asks_while_it_is_read_gets_the_same(world: World) -> None:
    found = await asyncio.gather(*(world.directory.reports() for _ in range(5)))
    assert [list(each) for each in found] == [["a:1"]] * 5


async def test_who_comes_and_goes_is_known_at_once(world: World) -> None:
    world.directory.start()
    await world.directory.reports()
    await world.other.register("b:1", report_of("b:1"), 1)
    await asyncio.sleep(0)
    assert list(await world.directory.reports()) == ["a:1", "b:1"]
    await world.other.unregister("b:1")
    await asyncio.sleep(0)
    assert list(await world.directory.reports()) == ["a:1"]
    world.directory.close()


async def test_a_leader_that_is_not_up_leads_nobody(world: World) -> None:
    assert await world.directory.leader() is None
    await world.election.stand()
    leader = await world.directory.leader()
    assert leader is not None
    assert leader.broker_id == "a:1"
    await world.registry.unregister("a:1")
    world.directory.forget()
    assert await world.directory.leader() is None


async def test_the_choice(world: World) -> None:
    await world.other.register("b:1", report_of("b:1", "x", "y"), 1)
    chosen = await world.directory.choose(BUNDLE)
    assert chosen is not None
    assert chosen.broker_id == "a:1"
    world.directory.refused(BUNDLE)
    chosen = await world.directory.choose(BUNDLE, without="a:1")
    assert chosen is not None
    assert chosen.broker_id == "b:1"
    await world.registry.unregister("a:1")
    await world.other.unregister("b:1")
    world.directory.forget()
    assert await world.directory.choose(BUNDLE) is None
