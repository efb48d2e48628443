"""Delayed messages whose index is in buckets, over restarts, crashes and lost ledgers."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest
from magnetar_broker.config import BrokerConfig
from magnetar_broker.consume_limits import ConsumeLimits
from magnetar_broker.dispatch import delayed_index
from magnetar_broker.service import BrokerDeps, BrokerService
from magnetar_ledger.managed import LedgerPolicies, ManagedLedger
from magnetar_ledger.managed.cursor_buckets import COMPONENT
from magnetar_proto import pulsar_api_pb2 as api
from magnetar_runtime.scope import TaskScope

from tests.broker.consume_world import TOPIC, ConsumeWorld, ConsumingClient, positions
from tests.ledger.fake_bookie import ReadCall
from tests.ledger.managed.harness import World, run

SHARED = api.CommandSubscribe.Shared
KEY_SHARED = api.CommandSubscribe.Key_Shared
SMALL: dict[str, Any] = {
    "delayed_index_bucket_rows": 50,
    "delayed_index_segment_rows": 10,
    "delayed_delivery_strict": True,
}
COUNT = 200
PERMITS = 10_000


@pytest.fixture(autouse=True)
def short_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delayed_index, "RUN_ROWS", 8)


def delays(now_ms: int, count: int = COUNT) -> list[int]:
    """Between 20 and 50 seconds, in no order."""
    rng = random.Random(5)
    return [now_ms + rng.randrange(20_000, 50_000) for _ in range(count)]


class Life:
    """One process of a broker, with a consumer.

    Attributes:
        got: When each entry was delivered (ms), in order.
    """

    def __init__(self, world: World, service: BrokerService) -> None:
        self.world = world
        self.service = service
        self.consume = ConsumeWorld(world, service)
        self.client: ConsumingClient | None = None
        self.got: dict[tuple[int, int], int] = {}

    async def attach(self, kind: int = SHARED) -> ConsumingClient:
        self.client = await self.consume.client()
        answer = await self.client.subscribe(kind=kind, permits=PERMITS)
        assert isinstance(answer, api.CommandSuccess)
        return self.client

    async def pass_time(self, seconds: float, *, ack: bool = True) -> None:
        """Take and ack what comes meanwhile; look every 100 ms."""
        assert self.client is not None
        for _ in range(round(seconds * 10)):
            await asyncio.sleep(0.1)
            messages = self.client.of(api.CommandMessage)
            closed = self.client.of(api.CommandCloseConsumer)
            self.client.take()
            if closed:
                await self.client.subscribe(kind=SHARED, permits=PERMITS)
            for position in positions(messages):
                assert position not in self.got, "delivered twice"
                self.got[position] = self.world.clock.wall_ms()
            if messages and ack:
                self.client.ack(*messages)

    @property
    def subscription(self) -> Any:
        return self.service.topics.loaded[TOPIC].subscriptions["s"]

    @property
    def index(self) -> Any:
        return self.subscription.dispatcher._delayed.index

    @property
    def kept(self) -> tuple[int, ...]:
        kept: tuple[int, ...] = self.subscription.cursor.buckets.kept
        return kept

    def rows_in_buckets(self) -> int:
        buckets = self.index.buckets()
        return sum(rows for each in buckets for _, rows in each._segments)

    def entries_read(self) -> set[tuple[int, int]]:
        """Of the topic, from storage."""
        ids = {ledger_id for ledger_id, _, _ in self.subscription.topic.ledger.ledgers}
        read = set()
        for call in self.world.bookies[0].calls:
            if isinstance(call, ReadCall) and call.ledger_id in ids:
                end = call.first_entry_id + call.max_entries
                there = self.world.bookies[0].entries[call.ledger_id]
                read |= {
                    (call.ledger_id, each)
                    for each in range(max(call.first_entry_id, 0), end)
                    if each in there
                }
        return read


@asynccontextmanager
async def life_on(world: World, *, crash: bool = False, **limits: Any) -> AsyncIterator[Life]:
    """A process that stops as it should, or dies."""
    deps = world.deps()
    managed: list[ManagedLedger] = []

    async def open_ledger(
        name: str, *, create: bool, policies: LedgerPolicies | None = None
    ) -> ManagedLedger:
        managed.append(await ManagedLedger.open(name, deps, create, policies))
        return managed[-1]

    scope = TaskScope()
    config = BrokerConfig(consume=ConsumeLimits(**{**SMALL, **limits}))
    service = BrokerService(config, BrokerDeps(world.store, open_ledger, world.clock), scope)
    await service.start()
    world.bookies[0].calls.clear()
    yield Life(world, service)
    if crash:
        for each in managed:
            await each._scope.close()
    else:
        await service.stop()
    await scope.close()


async def bucket_ledgers(world: World) -> set[int]:
    ids = set()
    for ledger_id in await world.ledger_registry.list_ids():
        found = await world.ledger_registry.read(ledger_id)
        if found is not None and found[0].custom["component"] == COMPONENT:
            ids.add(ledger_id)
    return ids


def virtual(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    def run_test(**arguments: Any) -> None:
        run(test(**arguments))

    run_test.__name__ = test.__name__
    return run_test


def in_time(life: Life, times: dict[tuple[int, int], int]) -> None:
    """Each entry was delivered within a tick of its time, and none before it."""
    assert set(life.got) == set(times)
    for position, due_ms in times.items():
        assert 0 <= life.got[position] - due_ms <= 1_100


async def published(life: Life, count: int = COUNT, key: str | None = None) -> dict[Any, int]:
    times = delays(life.world.clock.wall_ms(), count)
    where = await life.consume.publish(count, deliver_at_ms=times, key=key)
    return dict(zip(where, times, strict=True))


@virtual
async def test_all_come_in_time_out_of_buckets_which_are_gone_then() -> None:
    world = World()
    async with life_on(world) as life:
        await life.attach()
        times = await published(life)
        await life.pass_time(1)
        assert life.kept
        assert await bucket_ledgers(world) == set(life.kept)
        assert life.index.rows == COUNT
        assert COUNT - life.rows_in_buckets() < 60
        await life.pass_time(55)
        in_time(life, times)
        assert life.index.rows == 0
        assert await bucket_ledgers(world) == set()
        assert dict(life.subscription.cursor._state.cursor_properties) == {}


def test_after_a_crash_only_what_follows_the_last_bucket_is_read_again() -> None:
    for kind, key in ((SHARED, None), (KEY_SHARED, "k")):
        run(crash_and_restart(kind, key))


async def crash_and_restart(kind: int, key: str | None) -> None:
    world = World()
    async with life_on(world, crash=True) as first:
        await first.attach(kind)
        times = await published(first, key=key)
        ready = await first.consume.publish(2, key=key)
        await first.pass_time(1, ack=False)
        assert set(first.got) == set(ready)
        unstored = COUNT - first.rows_in_buckets()
        assert unstored < 60
    async with life_on(world) as second:
        await second.attach(kind)
        await second.pass_time(1)
        assert set(second.got) == set(ready)
        assert len(second.entries_read() - set(ready)) <= unstored
        assert second.index.rows == COUNT
        for each in ready:
            del second.got[each]
        await second.pass_time(55)
        in_time(second, times)


def test_what_became_due_while_no_broker_was_there_comes_once() -> None:
    for kind, key in ((SHARED, None), (KEY_SHARED, "k")):
        run(due_before_the_restart(kind, key))


async def due_before_the_restart(kind: int, key: str | None) -> None:
    world = World()
    async with life_on(world) as first:
        await first.attach(kind)
        times = await published(first, key=key)
        await first.pass_time(1)
        assert first.kept
    await asyncio.sleep(60)
    async with life_on(world) as second:
        await second.attach(kind)
        await second.pass_time(5)  # fails at what is delivered twice
        assert set(second.got) == set(times)
        assert second.index.rows == 0
        assert await bucket_ledgers(world) == set()


@virtual
async def test_consumers_that_come_back_find_the_index_and_what_others_had() -> None:
    world = World()
    async with life_on(world) as life:
        client = await life.attach()
        times = await published(life)
        ready = await life.consume.publish(3)
        await life.pass_time(1, ack=False)
        assert set(life.got) == set(ready)
        life.got.clear()
        client.transport.close()
        await asyncio.sleep(1)
        life.consume.drop_cache()
        await life.attach()
        await life.pass_time(1)
        assert set(life.got) == set(ready)
        assert life.entries_read() <= set(ready)
        for each in ready:
            del life.got[each]
        await life.pass_time(55)
        in_time(life, times)


@virtual
async def test_what_was_due_before_a_crash_and_not_acked_comes_again() -> None:
    world = World()
    async with life_on(world, crash=True) as first:
        await first.attach()
        times = await published(first)
        await first.pass_time(35, ack=False)
        early = set(first.got)
        assert 50 < len(early) < 150
    async with life_on(world) as second:
        await second.attach()
        await second.pass_time(1)
        assert early <= set(second.got)
        await second.pass_time(55)
        for each in early:
            del second.got[each]
            del times[each]
        in_time(second, times)
        assert await bucket_ledgers(world) == set()


@virtual
async def test_a_seek_an_unsubscribe_and_a_deletion_leave_no_bucket() -> None:
    world = World()
    async with life_on(world) as life:
        client = await life.attach()
        await published(life)
        await life.pass_time(1)
        assert await bucket_ledgers(world)
        first = life.subscription.topic.ledger.first_position
        seek = api.CommandSeek(consumer_id=1, request_id=0)
        seek.message_id.ledgerId, seek.message_id.entryId = first.ledger_id, 0
        await client.request(seek)
        assert await bucket_ledgers(world) == set()
        await life.attach()
        await life.pass_time(1)
        assert life.index.rows == COUNT
        assert await bucket_ledgers(world)
        assert life.client is not None
        await life.client.request(api.CommandUnsubscribe(consumer_id=1, request_id=0))
        assert await bucket_ledgers(world) == set()
        await life.attach()
        await life.pass_time(1)
        assert await bucket_ledgers(world)
        await life.service.topics.delete(life.subscription.topic.name, force=True)
        assert await bucket_ledgers(world) == set()


@virtual
async def test_buckets_that_are_gone_are_found_again_in_the_backlog() -> None:
    world = World()
    async with life_on(world) as first:
        await first.attach()
        times = await published(first)
        await first.pass_time(1)
        lost = first.kept[0]
    await world.ledger_registry.delete(lost)
    async with life_on(world) as second:
        await second.attach()
        await second.pass_time(56)
        in_time(second, times)


@virtual
async def test_rows_that_cannot_be_loaded_are_found_again_in_the_topic() -> None:
    world = World()
    async with life_on(world) as first:
        await first.attach()
        times = await published(first)
        await first.pass_time(1)
        lost = first.kept[0]
    async with life_on(world) as second:
        await second.attach()
        await second.pass_time(1)
        for entry_id in range(2):
            del world.bookies[0].entries[lost][entry_id]
        await second.pass_time(56)
        in_time(second, times)


@virtual
async def test_a_topic_that_is_closed_stores_what_was_only_in_memory() -> None:
    world = World()
    async with life_on(world, delayed_index_bucket_rows=10_000) as first:
        await first.attach()
        times = await published(first, 1_200)
        await first.pass_time(1)
        assert first.kept == ()
    async with life_on(world, delayed_index_bucket_rows=10_000) as second:
        await second.attach()
        await second.pass_time(1)
        assert len(second.kept) == 1
        assert second.entries_read() == set()
        assert second.index.rows == 1_200
        await second.pass_time(55)
        in_time(second, times)


@virtual
async def test_memory_stays_under_its_limit() -> None:
    world = World()
    limits = {"delayed_index_memory_bytes": 40_000, "delayed_index_bucket_rows": 10_000}
    async with life_on(world, **limits) as life:
        await life.attach()
        memory = life.service.consume_context.delayed_memory
        times = {}
        for _ in range(10):
            times.update(await published(life))
            assert memory.used_bytes <= memory.max_bytes + 72
            await life.pass_time(0.2)
        await life.pass_time(1)
        assert life.index.rows == 2_000
        assert life.kept
        await life.pass_time(60)
        in_time(life, times)
        assert memory.used_bytes == 0


@virtual
async def test_subscriptions_are_finished_side_by_side() -> None:
    async with life_on(World()) as life:
        await life.attach()
        client = await life.consume.client()
        await client.subscribe(kind=SHARED, subscription="other", consumer_id=2)
        topic = life.service.topics.loaded[TOPIC]
        both, begun = asyncio.Event(), []

        async def finish() -> None:
            begun.append(1)
            if len(begun) == 2:
                both.set()
            await both.wait()  # each waits for the other

        for subscription in topic.subscriptions.values():
            subscription.dispatcher.finish = finish  # type: ignore[union-attr, method-assign]
        assert len(topic.subscriptions) == 2
        async with asyncio.timeout(10):
            await topic.close()
