"""Dead letters that cannot be sent; those that can are in `test_receiver`."""

import asyncio

from magnetar_broker.inner_client.dead_letters import DeadLetters
from magnetar_broker.inner_client.opened import Message
from magnetar_proto import pulsar_api_pb2 as api

from tests.broker.inner_client.inner_world import inner_world


async def test_a_letter_that_is_not_stored_is_not_acked() -> None:
    async with inner_world() as inner:
        letters = DeadLetters(inner.client, "persistent://public/absent/dead", inner.scope)
        acked: list[int] = []
        place = api.MessageIdData(ledgerId=1, entryId=2)
        message = Message(place, "t", b"", {}, 0, 0, 3, None, False, "p", 0)
        letters.send(message, lambda: acked.append(1))
        assert letters._task is not None
        await asyncio.wait_for(asyncio.shield(letters._task), 5)
        letters.close()
        assert acked == []
