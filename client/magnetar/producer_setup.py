"""The producers of one client: opened, grown with their topics, closed."""

import asyncio
import logging
import random
from collections.abc import Sequence
from dataclasses import replace

from magnetar_runtime.clock import Clock
from magnetar_runtime.scope import TaskScope

from magnetar.all_done import close_all, open_all
from magnetar.errors import PulsarException
from magnetar.lookup import Lookup
from magnetar.producer import Producer
from magnetar.producer_core import ProducerCore
from magnetar.producer_options import ProducerOptions
from magnetar.routing import make_router
from magnetar.schema_support import encoder_of, wire_of
from magnetar.topic_name import partition_index, partition_name
from magnetar.topic_producer import TopicProducer

log = logging.getLogger(__name__)


class ProducerSetup:
    """Opens producers, and knows those that are open."""

    def __init__(
        self,
        lookup: Lookup,
        scope: TaskScope,
        clock: Clock,
        rng: random.Random,
        timeout_s: float,
    ) -> None:
        self._lookup = lookup
        self._scope = scope
        self._clock = clock
        self._rng = rng
        self._timeout_s = timeout_s
        self._last_id = -1
        self._open: dict[Producer, ProducerOptions] = {}

    async def open(self, topic: str, options: ProducerOptions) -> Producer:
        """A producer on all partitions of a topic.

        Raises:
            PulsarException: one of them could not be opened; then none is.
        """
        router = make_router(options.message_routing_mode, self._rng, options.message_router)
        count = await self._lookup.partitions(topic)
        share = options.max_pending_messages_across_partitions // max(count, 1)
        limit = min(options.max_pending_messages, max(share, 1))
        options = replace(options, max_pending_messages=limit)
        names = [partition_name(topic, index) for index in range(count)] or [topic]
        partitions = await self._open_all(names, options)
        producer = Producer(
            topic,
            partitions,
            router,
            encoder_of(options.schema),
            self._clock,
            block_if_queue_full=options.block_if_queue_full,
            partitioned=count > 0,
            forget=self._forget,
        )
        self._open[producer] = options
        return producer

    async def _open_all(
        self, names: Sequence[str], options: ProducerOptions
    ) -> list[TopicProducer]:
        producers = [self._make(name, options) for name in names]
        await open_all(producers, self._timeout_s)
        return producers

    def _make(self, topic: str, options: ProducerOptions) -> TopicProducer:
        self._last_id += 1
        core = ProducerCore(topic, partition_index(topic), self._last_id, options, self._new_uuid)
        return TopicProducer(
            topic,
            core,
            options,
            wire_of(options.schema),
            self._lookup,
            self._scope,
            self._clock,
            self._timeout_s,
        )

    def _new_uuid(self) -> str:
        return f"{self._rng.getrandbits(128):032x}"

    async def grow(self) -> None:
        """Open producers for partitions that are new."""
        for producer, options in list(self._open.items()):
            if not producer.partitioned:
                continue
            try:
                await self._grow_one(producer, options)
            except PulsarException as error:
                log.info("partitions of %s could not be opened: %s", producer.topic(), error)

    async def _grow_one(self, producer: Producer, options: ProducerOptions) -> None:
        have = producer.num_partitions()
        count = await self._lookup.partitions(producer.topic())
        names = [partition_name(producer.topic(), index) for index in range(have, count)]
        if not names:
            return
        new = await self._open_all(names, options)
        if producer in self._open:
            producer.grow(new)
        else:
            await close_all(new)

    def _forget(self, producer: Producer) -> None:
        self._open.pop(producer, None)

    async def close(self) -> None:
        """Close all."""
        await asyncio.gather(*[producer.close() for producer in list(self._open)])

    def end(self, error: PulsarException) -> None:
        """End all at once."""
        for producer in list(self._open):
            for partition in producer.partitions:
                partition.fail(error)
        self._open.clear()

    def forked(self, error: PulsarException) -> None:
        """Mark all as dead, and touch nothing else."""
        for producer in self._open:
            for partition in producer.partitions:
                partition.forked(error)
