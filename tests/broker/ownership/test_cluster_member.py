"""A member's sessions: what it has ends with one, and it comes back with the next."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest
from magnetar_broker.topic_name import TopicName
from magnetar_metadata.errors import UnknownOutcomeError
from magnetar_metadata.namespace_bundles import Bundle
from magnetar_proto import pulsar_api_pb2 as api

from tests.broker.client import kind_of
from tests.broker.ownership.conftest import OPTIONS, Cluster, Member

NAME = TopicName.parse("public/default/x")


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.001)


async def serving(member: Member, name: TopicName = NAME) -> None:
    await member.ownership.look_up(name, authoritative=True, listener="")
    await member.service.topic(name, create=True)


async def test_the_brokers_know_each_other(cluster: Cluster, one: Member, two: Member) -> None:
    assert set(await one.cluster.directory.reports()) == {"one:2", "two:2"}
    leader = await two.cluster.directory.leader()
    assert leader is not None
    assert leader.broker_id == "one:2"


async def test_its_load_is_told(one: Member, two: Member) -> None:
    await serving(one)
    bundle = str(await one.bundle_of(str(NAME)))

    async def topics() -> int:
        two.cluster.directory.forget()
        report = (await two.cluster.directory.reports())["one:2"]
        return report.bundles[bundle].topics if bundle in report.bundles else 0

    async with asyncio.timeout(5):
        while await topics() != 1:
            await asyncio.sleep(0.001)


async def test_the_end_of_a_session_ends_all_that_it_had(
    cluster: Cluster, one: Member, two: Member
) -> None:
    await serving(one)
    client = await one.client()
    await client.ask(api.CommandProducer(topic="x", producer_id=1, request_id=1))
    one.store.expire(renew=True)
    await asyncio.sleep(0)
    assert not one.ownership.serves(NAME)
    assert one.ledger("x").fence_error is not None
    assert [kind_of(each) for each in await client.turn()] == ["close_producer"]
    await until(lambda: one.ledger("x").closed and not one.service.topics.loaded)
    await serving(two)
    await until(lambda: one.cluster.registered)
    where = await one.ownership.look_up(NAME, authoritative=True, listener="")
    assert where.urls == two.service.config.addresses.urls


async def test_after_a_session_there_is_one_leader(
    cluster: Cluster, one: Member, two: Member
) -> None:
    one.store.expire(renew=True)
    await asyncio.sleep(0)
    await until(lambda: one.cluster.registered)
    await until(lambda: one.cluster.is_leader is not two.cluster.is_leader)
    leader = await two.cluster.directory.leader()
    assert leader is not None
    assert leader.broker_id == ("one:2" if one.cluster.is_leader else "two:2")


async def test_a_topic_that_is_being_loaded_when_the_session_ends_is_not_served(
    one: Member, two: Member
) -> None:
    await one.ownership.look_up(NAME, authoritative=True, listener="")
    gate = asyncio.Event()

    async def wait() -> None:
        await gate.wait()

    one.before_open = wait
    loading = asyncio.create_task(one.service.topic(NAME, create=True))
    await until(lambda: bool(one.opened))
    one.store.expire(renew=True)
    await asyncio.sleep(0)
    await until(lambda: one.cluster.registered)
    await one.ownership.look_up(NAME, authoritative=True, listener="")  # it is its own again
    gate.set()
    with pytest.raises(Exception, match="went to another broker"):
        await loading
    assert one.ledger("x").closed
    one.before_open = None
    await one.service.topic(NAME, create=False)
    assert len(one.opened) == 2


async def test_who_leaves_hands_over(cluster: Cluster, one: Member, two: Member) -> None:
    await serving(one)
    await one.cluster.leave()
    assert not one.service.topics.loaded
    assert one.ledger("x").closed
    assert one.ledger("x").fence_error is None  # its cursors were kept
    assert list(await two.cluster.directory.reports()) == ["two:2"]
    where = await one.ownership.look_up(NAME, authoritative=False, listener="")
    assert (where.redirect, where.authoritative) == (True, True)
    assert where.urls == two.service.config.addresses.urls
    assert (await two.ownership.look_up(NAME, authoritative=True, listener="")).here
    await until(lambda: two.cluster.is_leader)


async def test_who_leaves_waits_for_nobody_for_ever(
    cluster: Cluster, one: Member, two: Member, caplog: pytest.LogCaptureFixture
) -> None:
    await serving(one)
    client = await one.client()
    hangs = asyncio.Event()

    async def close() -> None:
        await hangs.wait()

    one.ledger("x").close = close  # type: ignore[method-assign]
    limits = replace(one.service.config.limits, shutdown_timeout_ms=20)
    one.service.config = replace(one.service.config, limits=limits)
    async with asyncio.timeout(5):
        await one.cluster.leave()
        await one.service.stop()
    assert "brokerShutdownTimeoutMs" in caplog.text
    assert client.transport.closing
    # It is its owner yet, until its session ends.
    where = await two.ownership.look_up(NAME, authoritative=True, listener="")
    assert where.urls == one.service.config.addresses.urls


async def test_a_bug_that_leaving_one_bundle_meets_keeps_no_other_from_being_left(
    cluster: Cluster, one: Member, caplog: pytest.LogCaptureFixture
) -> None:
    names = [TopicName.parse(f"public/default/{number}") for number in range(9)]
    for name in names:
        await serving(one, name)
    bundles = list(one.ownership.owned.bundles)
    assert len(bundles) > 1
    unload, left = one.ownership.unload, []

    async def unload_others(bundle: Bundle) -> None:
        if bundle == bundles[0]:
            raise ZeroDivisionError("a bug")
        await asyncio.sleep(0)
        await unload(bundle)
        left.append(bundle)

    one.ownership.unload = unload_others  # type: ignore[method-assign]
    await one.cluster.leave()
    assert set(left) == set(bundles[1:])
    assert "ZeroDivisionError: a bug" in caplog.text


PAUSE_NS = OPTIONS.session_timeout_ms * 1_000_000


async def test_after_a_pause_nothing_leaves_before_the_session_was_looked_at(
    one: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = await one.client()
    await client.turn()
    gate, failures = asyncio.Event(), [UnknownOutcomeError("/")]
    monkeypatch.setattr("magnetar_broker.ownership.cluster_member.RETRY_DELAY_MS", 1)

    async def sync(path: str) -> None:
        if failures:
            raise failures.pop()
        await gate.wait()

    one.store.sync = sync  # type: ignore[method-assign]
    one.clock.now_ns += PAUSE_NS
    client.send(api.CommandPing())
    for _ in range(5):
        assert await client.turn() == []
    gate.set()
    await until(lambda: bool(client.transport.written))
    assert [kind_of(each) for each in await client.turn()] == ["pong"]
    assert not client.transport.aborted


async def test_after_a_pause_that_ended_the_session_nothing_leaves(one: Member) -> None:
    client = await one.client()
    await client.turn()
    one.clock.now_ns += PAUSE_NS
    client.send(api.CommandPing())
    one.store.expire(renew=True)
    await until(lambda: client.transport.aborted)
    assert not client.transport.written
    other = await one.client()
    other.send(api.CommandPing())
    assert [kind_of(each) for each in await other.turn()] == ["pong"]
