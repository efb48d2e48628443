"""Messages as administrators look at them: answers and headers are those of Pulsar 4.0.7."""

from typing import Any

import pytest

from tests.broker.http.web_world import Web, web_world

T = "/admin/v2/persistent/public/default/t"


async def _three(world: Web) -> int:
    """A topic with the messages one, two, three and a subscription s; the ledger's id."""
    assert (await world.ask("PUT", f"{T}/subscription/s", "earliest"))[0] == 204
    await world.produce("one", key="k", properties={"x": "y"})
    ids = await world.produce("two", "three")
    return int(ids[0].split(":")[0])


async def _head(world: Web, path: str) -> tuple[bytes, dict[str, str]]:
    async with world.http.get(path) as answer:
        assert answer.status == 200, await answer.text()
        names = ("x-pulsar-", "content-type")
        heads = {
            key: value for key, value in answer.headers.items() if key.lower().startswith(names)
        }
        return await answer.read(), heads


async def test_looks_at_single_messages() -> None:
    async with web_world() as world:
        ledger = await _three(world)
        body, head = await _head(world, f"{T}/subscription/s/position/1")
        assert body == b"one"
        assert head["Content-Type"].startswith("application/json")
        assert head["X-Pulsar-Message-ID"] == f"{ledger}:0"
        assert head["X-Pulsar-PROPERTY"] == '{"x":"y"}'
        assert head["X-Pulsar-partition-key"] == "k"
        assert head["X-Pulsar-txn-uncommitted"] == "false"
        assert head["X-Pulsar-publish-time"].endswith("Z")
        assert (await _head(world, f"{T}/subscription/s/position/3"))[0] == b"three"
        assert (await _head(world, f"{T}/ledger/{ledger}/entry/1"))[0] == b"two"
        for query, body in {
            "": b"three",
            "?initialPosition=earliest&messagePosition=2": b"two",
            "?initialPosition=earliest&messagePosition=99": b"three",
            "?initialPosition=latest&messagePosition=3": b"one",
            "?messagePosition=0": b"three",
        }.items():
            assert (await _head(world, f"{T}/examinemessage{query}"))[0] == body


@pytest.mark.parametrize(
    ("path", "status", "reason"),
    [
        ("subscription/s/position/4", 404, "Message not found"),
        ("subscription/s/position/0", 404, "Message not found"),
        ("subscription/s/position/-1", 404, "Message not found"),
        ("subscription/s/position/9999999999999999999", 404, "Message not found"),
        ("subscription/no/position/1", 404, "Subscription no not found for topic"),
        ("ledger/0/entry/99", 404, "Message id not found"),
        ("ledger/999999/entry/0", 404, "Message id not found"),
        ("examinemessage?messagePosition=x", 400, "'x' is no number"),
        (
            "examinemessage?messagePosition=9999999999999999999",
            400,
            "9999999999999999999 is no 64-bit",
        ),
    ],
)
async def test_messages_that_are_not_there(path: str, status: int, reason: str) -> None:
    async with web_world() as world:
        await _three(world)
        found, body = await world.ask("GET", f"{T}/{path}")
        assert (found, body["reason"][: len(reason)]) == (status, reason)


async def test_ids_and_sizes() -> None:
    async with web_world() as world:
        ledger = await _three(world)
        last = {"ledgerId": ledger, "entryId": 2, "partitionIndex": -1, "batchSize": 0}
        assert await world.ask("GET", f"{T}/lastMessageId") == (200, {**last, "batchIndex": -1})
        first = {**last, "entryId": 0, "batchIndex": -1}
        assert await world.ask("GET", f"{T}/messageid/0") == (200, first)
        coming = {**first, "entryId": 3}
        assert await world.ask("GET", f"{T}/messageid/9999999999999") == (200, coming)
        sizes = []
        for entry in (-1, 0, 1, 2):
            body = {"ledgerId": ledger, "entryId": entry, "partitionIndex": -1}
            status, size = await world.ask("PUT", f"{T}/backlogSize", body)
            assert status == 200
            sizes.append(size)
        assert sizes == sorted(sizes, reverse=True)
        assert sizes[0] > sizes[1] > sizes[2] > sizes[3] == 0
        assert (await world.ask("PUT", f"{T}/backlogSize", "latest"))[0] == 400


async def test_analysis() -> None:
    async with web_world() as world:
        ledger = await _three(world)
        path = f"{T}/subscription/s/analyzeBacklog"
        status, found = await world.ask("POST", path)
        assert status == 200
        assert (found["entries"], found["messages"], found["aborted"]) == (3, 3, False)
        assert (found["firstMessageId"], found["lastMessageId"]) == (f"{ledger}:0", f"{ledger}:2")
        assert (await world.ask("POST", f"{T}/subscription/s/skip/2"))[0] == 204
        status, found = await world.ask("POST", path)
        assert (found["entries"], found["firstMessageId"]) == (1, f"{ledger}:2")
        body = {"ledgerId": ledger, "entryId": 0}
        assert (await world.ask("POST", path, body))[1]["entries"] == 3


async def test_an_empty_topic() -> None:
    async with web_world() as world:
        assert (await world.ask("PUT", T))[0] == 204
        status, last = await world.ask("GET", f"{T}/lastMessageId")
        assert (status, last["entryId"]) == (200, -1)
        assert (await world.ask("GET", f"{T}/examinemessage"))[0] == 412


async def test_of_partitioned_and_non_persistent_topics() -> None:
    async with web_world() as world:
        assert (await world.ask("PUT", f"{T}/partitions", 2))[0] == 204
        refused: dict[str, Any] = {
            "examinemessage": "GET",
            "messageid/0": "GET",
            "subscription/s/position/1": "GET",
            "subscription/s/analyzeBacklog": "POST",
        }
        for path, method in refused.items():
            status, body = await world.ask(method, f"{T}/{path}")
            assert (status, "partitioned topic is not allowed" in body["reason"]) == (405, True)
        status, last = await world.ask("GET", f"{T}-partition-1/lastMessageId")
        assert (status, last["partitionIndex"]) == (200, 1)
        other = T.replace("persistent", "non-persistent")
        assert (await world.ask("GET", f"{other}/lastMessageId"))[0] == 405
