"""One broker of a cluster at a time, and none that is dead is waited for for ever."""

import asyncio

import pytest
from magnetar_metadata.broker_registration import BROKERS_PATH, BrokerRegistration
from magnetar_metadata.errors import NodeExistsError
from magnetar_metadata.memory import MemoryStore
from magnetar_runtime.clock import SystemClock
from magnetar_runtime.sim import CALM, Simulation
from magnetar_runtime.sim import run as run_simulation


async def test_a_broker_comes_and_goes() -> None:
    store = MemoryStore(SystemClock())
    broker = BrokerRegistration(store)
    await broker.register_alone("a:8080", 1_000)
    assert await store.children(BROKERS_PATH) == ["a:8080"]
    await broker.unregister()
    await broker.unregister()
    assert await store.children(BROKERS_PATH) == []


async def test_a_second_one_is_refused() -> None:
    store = MemoryStore(SystemClock())
    await BrokerRegistration(store).register_alone("a:8080", 1_000)
    with pytest.raises(NodeExistsError, match="a:8080"):
        await BrokerRegistration(store).register_alone("b:8080", 1)
    assert await store.children(BROKERS_PATH) == ["a:8080"]


async def test_one_that_is_dead_is_waited_for() -> None:
    store = MemoryStore(SystemClock())
    await store.create(f"{BROKERS_PATH}/a:8080", b"{}", ephemeral=True)
    began = asyncio.create_task(BrokerRegistration(store).register_alone("a:8080", 10_000))
    await asyncio.sleep(0)
    assert not began.done()
    await store.delete(f"{BROKERS_PATH}/a:8080")
    await began
    assert await store.children(BROKERS_PATH) == ["a:8080"]


def test_its_own_last_session_may_last_longer_than_its_timeout() -> None:
    async def main(world: Simulation) -> None:
        store = MemoryStore(world.node("broker").clock)
        dead = store.new_session()
        await dead.create(f"{BROKERS_PATH}/a:1", b"{}", ephemeral=True)
        world.loop.call_later(1.5, dead.expire)  # a tick of the server later
        await BrokerRegistration(store).register_alone("a:1", 1_000)
        with pytest.raises(NodeExistsError, match="session of one that died"):
            await BrokerRegistration(store).register_alone("b:1", 1_000)

    run_simulation(main, seed=1, loop_shape=CALM)


async def test_of_two_that_begin_at_one_time_none_stays_beside_the_other() -> None:
    store = MemoryStore(SystemClock())
    both = [BrokerRegistration(store).register_alone(name, 50) for name in ("a:1", "b:1")]
    ends = await asyncio.gather(*both, return_exceptions=True)
    assert any(isinstance(end, NodeExistsError) for end in ends)
    assert len(await store.children(BROKERS_PATH)) == [*map(type, ends)].count(type(None))
