"""Brokers come and go; one that died without a word is waited for, and not for ever."""

import asyncio
from typing import Any

import pytest
from magnetar_metadata.broker_addresses import BrokerAddresses, Urls
from magnetar_metadata.broker_registration import BROKERS_PATH, BrokerRegistry
from magnetar_metadata.errors import NodeExistsError, NoNodeError, UnknownOutcomeError
from magnetar_metadata.load_report import BundleLoad, LoadReport
from magnetar_metadata.memory import MemoryStore

from tests.metadata.clocks import ManualClock


def report_of(name: str, *bundles: str) -> LoadReport:
    urls = Urls(broker=f"pulsar://{name}1", web=f"http://{name}")
    loads = {bundle: BundleLoad() for bundle in bundles}
    return LoadReport(addresses=BrokerAddresses(urls=urls), bundles=loads)


async def test_brokers_come_report_and_go() -> None:
    store = MemoryStore(ManualClock())
    one, two = BrokerRegistry(store), BrokerRegistry(store.new_session())
    hints: list[None] = []
    end_watch = one.watch(lambda: hints.append(None))
    await one.register("a:8", report_of("a:8"), 50)
    await two.register("b:8", report_of("b:8"), 50)
    await two.report("b:8", report_of("b:8", "t/n/x"))
    assert await one.names() == ["a:8", "b:8"]
    assert await one.reports() == {"a:8": report_of("a:8"), "b:8": report_of("b:8", "t/n/x")}
    await asyncio.sleep(0)
    assert hints
    await two.unregister("a:8")  # not its own
    await two.unregister("b:8")
    await two.unregister("b:8")
    assert await one.names() == ["a:8"]
    with pytest.raises(NoNodeError):
        await two.report("b:8", report_of("b:8"))
    end_watch()


async def test_once_more_in_the_same_session_is_no_other_broker() -> None:
    store = MemoryStore(ManualClock())
    registry = BrokerRegistry(store)
    await registry.register("a:8", report_of("a:8"), 1)
    await registry.register("a:8", report_of("a:8", "t/n/x"), 1)
    assert await registry.reports() == {"a:8": report_of("a:8", "t/n/x")}


async def test_another_one_of_the_same_address_is_refused() -> None:
    store = MemoryStore(ManualClock())
    await BrokerRegistry(store.new_session()).register("a:8", report_of("a:8"), 50)
    with pytest.raises(NodeExistsError, match="another broker of this address"):
        await BrokerRegistry(store).register("a:8", report_of("a:8"), 1)


async def test_one_that_is_dead_is_waited_for() -> None:
    store = MemoryStore(ManualClock())
    dead = store.new_session()
    await BrokerRegistry(dead).register("a:8", report_of("a:8"), 50)
    register = BrokerRegistry(store).register("a:8", report_of("a:8"), 10_000)
    began = asyncio.create_task(register)
    for _ in range(3):
        await asyncio.sleep(0)
    assert not began.done()
    dead.expire()
    await began
    node = await store.get(f"{BROKERS_PATH}/a:8")
    assert node is not None
    assert node.stat.ephemeral_owner == store.session_id


async def test_a_lost_reply_is_no_other_broker() -> None:
    store = MemoryStore(ManualClock())

    class Losing:
        lost = 0

        def __getattr__(self, name: str) -> Any:
            return getattr(store, name)

        async def create(self, path: str, value: bytes, **options: Any) -> str:
            created = await store.create(path, value, **options)
            self.lost += 1
            if self.lost == 1:
                raise UnknownOutcomeError(path)
            return created

    planted: Any = Losing()
    await BrokerRegistry(planted).register("a:8", report_of("a:8"), 1)
    assert await BrokerRegistry(store).names() == ["a:8"]
