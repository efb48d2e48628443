"""What subscriptions pass over, as Pulsar 4.0.7 answers."""

from typing import Any

from tests.broker.http.web_world import Web, web_world

T = "/admin/v2/persistent/public/default/t"
NAMESPACE = "/admin/v2/namespaces/public/default"


async def _three(world: Web, *subscriptions: str) -> None:
    for each in subscriptions or ("s",):
        assert (await world.ask("PUT", f"{T}/subscription/{each}", "earliest"))[0] == 204
    await world.produce("one", "two", "three")


async def _left(world: Web, subscription: str = "s") -> int:
    stats = (await world.ask("GET", f"{T}/stats"))[1]
    return int(stats["subscriptions"][subscription]["msgBacklog"])


async def test_skip() -> None:
    async with web_world() as world:
        await _three(world)
        path = f"{T}/subscription/s/skip"
        for count, left in ((1, 2), (0, 2), (-1, 2), (100, 0), (1, 0)):
            assert (await world.ask("POST", f"{path}/{count}"))[0] == 204
            assert await _left(world) == left
        status, body = await world.ask("POST", f"{T}/subscription/no/skip/1")
        assert (status, body["reason"][:22]) == (404, "Subscription no not fo")


async def test_skip_passes_over_what_is_left_only() -> None:
    async with web_world() as world:
        await _three(world)
        subscription = world.service.topics.loaded["persistent://public/default/t"].subscriptions[
            "s"
        ]
        ledger: Any = subscription.topic.ledger
        second = ledger.next_position(ledger.next_position(ledger.first_position))
        subscription.cursor.ack_individual(second)
        assert (await world.ask("POST", f"{T}/subscription/s/skip/2"))[0] == 204
        assert await _left(world) == 0


async def test_what_is_skipped_is_not_delivered() -> None:
    async with web_world() as world:
        await _three(world)
        assert (await world.ask("POST", f"{T}/subscription/s/skip/2"))[0] == 204
        assert [each["payload"] for each in await world.receive()] == ["three"]


async def test_skip_all_and_clear() -> None:
    async with web_world() as world:
        await _three(world, "s", "r")
        assert (await world.ask("POST", f"{T}/subscription/s/skip_all"))[0] == 204
        assert (await _left(world), await _left(world, "r")) == (0, 3)
        assert (await world.ask("POST", f"{NAMESPACE}/clearBacklog/nobody"))[0] == 204
        assert await _left(world, "r") == 3
        assert (await world.ask("POST", f"{NAMESPACE}/clearBacklog/r"))[0] == 204
        assert await _left(world, "r") == 0
        await world.produce("four")
        assert (await world.ask("POST", f"{NAMESPACE}/clearBacklog"))[0] == 204
        assert (await _left(world), await _left(world, "r")) == (0, 0)
        assert (await world.ask("POST", "/admin/v2/namespaces/public/no/clearBacklog"))[0] == 404
        status, body = await world.ask("POST", f"{T}/subscription/no/skip_all")
        assert (status, body["reason"][:15]) == (404, "Subscription no")


async def test_of_bundles() -> None:
    async with web_world() as world:
        await _three(world)
        name = world.service.topics.loaded["persistent://public/default/t"].name
        bundles = (await world.service.bundle_maps.of("public/default")).bundles
        own = bundles.bundle_of(str(name)).range
        ends = zip(bundles.boundaries, bundles.boundaries[1:], strict=False)
        (other, *_) = [f"{low}_{high}" for low, high in ends if f"{low}_{high}" != own]
        assert (await world.ask("POST", f"{NAMESPACE}/{other}/clearBacklog"))[0] == 204
        assert await _left(world) == 3
        assert (await world.ask("POST", f"{NAMESPACE}/{own}/clearBacklog/s"))[0] == 204
        assert await _left(world) == 0
        wrong = "0x00000000_0x12345678"
        assert (await world.ask("POST", f"{NAMESPACE}/{wrong}/clearBacklog"))[0] == 412
        assert (await world.ask("POST", f"{NAMESPACE}/{own}/unsubscribe/s"))[0] == 204
        assert (await world.ask("GET", f"{T}/subscriptions"))[1] == []


async def test_unsubscribe() -> None:
    async with web_world() as world:
        await _three(world, "s", "r")
        assert (await world.ask("POST", f"{NAMESPACE}/unsubscribe/s"))[0] == 204
        assert (await world.ask("GET", f"{T}/subscriptions"))[1] == ["r"]
        assert (await world.ask("POST", f"{NAMESPACE}/unsubscribe/nobody"))[0] == 204


async def test_expire_by_time() -> None:
    async with web_world() as world:
        await _three(world)
        path = f"{T}/subscription/s/expireMessages"
        assert (await world.ask("POST", f"{path}/100"))[0] == 204
        assert await _left(world) == 3
        topic = world.service.topics.loaded["persistent://public/default/t"]
        from magnetar_broker.backlog_admin import expire_older

        await expire_older(topic.subscriptions["s"], world.service.clock.wall_ms() + 10_000)
        assert await _left(world) == 0
        for each in (f"{path}/1", f"{T}/all_subscription/expireMessages/1"):
            status, body = await world.ask("POST", each)
            assert (status, body["reason"][:42]) == (
                409,
                "Expire message by timestamp not issued on "[:42],
            )
        status, body = await world.ask("POST", f"{T}/subscription/no/expireMessages/1")
        assert status == 404


async def test_expire_to_a_message() -> None:
    async with web_world() as world:
        await _three(world)
        ledger_id = (await world.ask("GET", f"{T}/lastMessageId"))[1]["ledgerId"]
        path = f"{T}/subscription/s/expireMessages"

        def body(entry: int, **more: Any) -> dict[str, Any]:
            return {"ledgerId": ledger_id, "entryId": entry, "partitionIndex": -1, **more}

        assert (await world.ask("POST", path, body(1, isExcluded=True)))[0] == 204
        assert await _left(world) == 2
        assert (await world.ask("POST", path, body(1)))[0] == 204
        assert await _left(world) == 1
        status, said = await world.ask("POST", path, body(99))
        assert (status, "invalid message position" in said["reason"]) == (409, True)
        assert (await world.ask("POST", path, body(2)))[0] == 204
        assert await _left(world) == 0


async def test_of_partitions() -> None:
    async with web_world() as world:
        assert (await world.ask("PUT", f"{T}/partitions", 2))[0] == 204
        assert (await world.ask("PUT", f"{T}/subscription/s", "earliest"))[0] == 204
        assert (await world.ask("POST", f"{T}/subscription/s/skip_all"))[0] == 204
        assert (await world.ask("POST", f"{T}/subscription/s/skip/1"))[0] == 405
        assert (await world.ask("POST", f"{T}/subscription/s/expireMessages/1"))[0] == 409
        body = {"ledgerId": 1, "entryId": 0}
        assert (await world.ask("POST", f"{T}/subscription/s/expireMessages", body))[0] == 405
