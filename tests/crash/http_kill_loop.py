"""Producers and consumers over plain HTTP while the broker is killed, and consumers too.

What was stored (it has an id) has to be acknowledged by a consumer in the end: a message counts as
consumed only when its acknowledgement was answered. A consumer that is killed is one that goes away
between an answer and the acknowledgement, or with the answer still on its way.
"""

import asyncio
import random
from dataclasses import dataclass, field
from typing import Final

import aiohttp

from bench.servers import HOST, Magnetar

_TOPIC: Final = "/topics/persistent/public/default/http-kill"
_BATCH: Final = 200
_DIES: Final = 0.05
_PAUSE_S: Final = 0.1
_ACK_TIMEOUT_MS: Final = 2000
_TRANSIENT: Final = (aiohttp.ClientError, OSError, TimeoutError)


@dataclass
class Tally:
    """What happened."""

    stored: set[str] = field(default_factory=set)
    received: int = 0
    acked: set[str] = field(default_factory=set)
    deaths: int = 0
    kills: int = 0

    @property
    def lost(self) -> set[str]:
        return self.stored - self.acked


class HttpKillLoop:
    """One run."""

    def __init__(self, server: Magnetar, rng: random.Random, messages: int, kills: int) -> None:
        self._server = server
        self._rng = rng
        self._messages = messages
        self._kills = kills
        self._url = f"http://{HOST}:{server.web_port}{_TOPIC}"
        self.tally = Tally()

    async def run(self, consumers: int, timeout_s: float) -> Tally:
        """Produce, consume, kill, until all that was stored is acknowledged."""
        timeout = aiohttp.ClientTimeout(total=10)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            await self._subscribe(session)
            names = [f"me-{index}" for index in range(consumers)]
            tasks = [asyncio.create_task(self._consume(session, name)) for name in names]
            try:
                async with asyncio.timeout(timeout_s):
                    await asyncio.gather(self._produce(session), self._kill())
                    while self.tally.lost:
                        await asyncio.sleep(_PAUSE_S)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
        return self.tally

    async def _subscribe(self, session: aiohttp.ClientSession) -> None:
        async with session.put(self._consumer("first")) as answer:
            assert answer.status == 201, await answer.text()

    def _consumer(self, name: str) -> str:
        return f"{self._url}/subscriptions/s/consumers/{name}"

    async def _produce(self, session: aiohttp.ClientSession) -> None:
        for start in range(0, self._messages, _BATCH):
            left = [str(number) for number in range(start, min(start + _BATCH, self._messages))]
            while left:
                left = await self._store(session, left)

    async def _store(self, session: aiohttp.ClientSession, texts: list[str]) -> list[str]:
        """Those that are not certainly stored: they are sent again."""
        body = {"messages": [{"payload": text} for text in texts]}
        try:
            async with session.post(self._url, json=body) as answer:
                if answer.status != 200:
                    raise aiohttp.ClientError(await answer.text())
                results = (await answer.json())["messagePublishResults"]
        except _TRANSIENT:
            await asyncio.sleep(_PAUSE_S)
            return texts
        pairs = list(zip(texts, results, strict=True))
        self.tally.stored |= {text for text, result in pairs if not result["errorCode"]}
        return [text for text, result in pairs if result["errorCode"]]

    async def _consume(self, session: aiohttp.ClientSession, name: str) -> None:
        while True:
            try:
                await self._consume_some(session, name)
            except _TRANSIENT:
                await asyncio.sleep(_PAUSE_S)

    async def _consume_some(self, session: aiohttp.ClientSession, name: str) -> None:
        query = {
            "maxMessages": "500",
            "waitMillis": "500",
            "ackTimeoutMillis": str(_ACK_TIMEOUT_MS),
        }
        consumer = self._consumer(name)
        async with session.get(f"{consumer}/messages", params=query) as answer:
            if answer.status != 200 or self._dies():
                return  # the answer is thrown away, read or not
            messages = (await answer.json())["messages"]
        self.tally.received += len(messages)
        if not messages or self._dies():
            return
        ids = [each["messageId"] for each in messages]
        async with session.post(f"{consumer}/acks", json=ids) as answer:
            if answer.status == 200 and (await answer.json())["acknowledged"] == len(ids):
                self.tally.acked |= {each["payload"] for each in messages}

    def _dies(self) -> bool:
        dies = self._rng.random() < _DIES
        self.tally.deaths += dies
        return dies

    async def _kill(self) -> None:
        for kill in range(1, self._kills + 1):
            while len(self.tally.stored) < self._messages * kill / (self._kills + 1):
                await asyncio.sleep(0.01)
            self._server.kill()
            await asyncio.to_thread(self._server.start)
            self.tally.kills += 1
