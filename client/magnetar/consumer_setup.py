"""The consumers of one client: opened, given topics that are new, closed."""

import asyncio
import logging
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from magnetar_runtime.scope import TaskScope

from magnetar.all_done import all_done, close_all, open_all
from magnetar.consumer import Consumer
from magnetar.consumer_options import ConsumerOptions
from magnetar.errors import InvalidConfiguration, PulsarException
from magnetar.inbox import Inbox
from magnetar.lookup import Lookup
from magnetar.schema_support import decoder_of, wire_of
from magnetar.topic_consumer import TopicConsumer
from magnetar.topic_name import partition_name
from magnetar.topic_pattern import TopicPattern, full_names

if TYPE_CHECKING:  # it loads producers
    from magnetar.dead_letters import DeadLetters, MakeProducer

log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class _Opened:
    """What a consumer was asked for, and how many partitions its topics had."""

    options: ConsumerOptions
    pattern: TopicPattern | None
    counts: dict[str, int] = field(default_factory=dict)
    discovery: asyncio.Task[None] | None = None


class ConsumerSetup:
    """Opens consumers, and knows those that are open."""

    def __init__(
        self,
        lookup: Lookup,
        scope: TaskScope,
        rng: random.Random,
        timeout_s: float,
        make_producer: "MakeProducer",
    ) -> None:
        self._lookup = lookup
        self._scope = scope
        self._rng = rng
        self._timeout_s = timeout_s
        self._make_producer = make_producer
        self._last_id = -1
        self._open: dict[Consumer, _Opened] = {}

    async def open(
        self, topic: str | Sequence[str] | re.Pattern[str], options: ConsumerOptions
    ) -> Consumer:
        """A consumer on all partitions of all topics.

        Raises:
            PulsarException: one of them could not be opened; then none is.
        """
        pattern = None
        if isinstance(topic, re.Pattern) or options.is_pattern_topic:
            pattern = TopicPattern(topic, options.regex_subscription_mode)
            topics, title = await self._matching(pattern), pattern.text
        else:
            topics, title = full_names(topic)
        letters = self._letters(topics, options)
        if letters is not None and letters.retries and pattern is None:
            topics = [*topics, letters.retry_letter_topic]
        consumer = Consumer(title, options, Inbox(), letters, self._forget)
        opened = _Opened(options, pattern)
        await self._add(consumer, opened, topics)
        self._open[consumer] = opened
        if pattern is not None:
            discovery = self._discover(consumer, opened, pattern)
            opened.discovery = self._scope.spawn(discovery, name=f"topics of {title}")
        return consumer

    def _letters(self, topics: Sequence[str], options: ConsumerOptions) -> "DeadLetters | None":
        policy = options.dead_letter_policy
        if policy is None:
            return None
        if not topics and policy.dead_letter_topic is None:
            raise InvalidConfiguration("a pattern needs a policy that names its dead_letter_topic")
        from magnetar.dead_letters import DeadLetters

        first = topics[0] if topics else ""
        return DeadLetters(
            first, options.subscription_name, policy, self._make_producer, self._scope
        )

    async def _add(
        self, consumer: Consumer, opened: _Opened, topics: Sequence[str], beside: int = 0
    ) -> None:
        """Open what is new of some topics, topics and partitions: all or none.

        Args:
            beside: how many other topics are being opened, which take their share of the queue.
        """
        counts = await asyncio.gather(*[self._lookup.partitions(topic) for topic in topics])
        names = []
        for topic, count in zip(topics, counts, strict=True):
            names += [partition_name(topic, index) for index in range(count)] or [topic]
        new = [name for name in names if name not in consumer.sources]
        options = opened.options
        limit = options.max_total_receiver_queue_size_across_partitions
        total = len(new) + len(consumer.sources) + beside
        share = max(limit // max(total, 1), 1)
        options = replace(options, receiver_queue_size=min(options.receiver_queue_size, share))
        if not options.receiver_queue_size and total > 1:
            raise InvalidConfiguration("a consumer without a queue has one topic, not several")
        sources = [self._make(name, options, consumer) for name in new]
        await open_all(sources, self._timeout_s)
        opened.counts.update(zip(topics, counts, strict=True))
        if consumer.closed:
            await close_all(sources)
        for source in sources:
            consumer.add(source)

    def _make(self, topic: str, options: ConsumerOptions, consumer: Consumer) -> TopicConsumer:
        self._last_id += 1
        source = TopicConsumer(
            topic,
            self._last_id,
            options,
            wire_of(options.schema),
            decoder_of(options.schema),
            consumer.inbox,
            consumer.letters,
            self._lookup,
            self._scope,
            self._timeout_s,
            consumer.source_failed,
        )
        if consumer.paused:
            source.pause()
        return source

    # Topics that come.

    async def _matching(self, pattern: TopicPattern) -> list[str]:
        # The broker is not asked to match: its expressions are not Python's.
        return pattern.matching(await self._lookup.topics(pattern.namespace, pattern.mode))

    async def _discover(self, consumer: Consumer, opened: _Opened, pattern: TopicPattern) -> None:
        period_s = opened.options.pattern_auto_discovery_period
        while not consumer.closed:
            await asyncio.sleep(period_s)
            try:
                found = await self._matching(pattern)
            except PulsarException as error:
                log.info("topics of %s could not be looked for: %s", pattern.text, error)
                continue
            new = [topic for topic in found if topic not in opened.counts]
            beside = len(new) - 1
            await all_done([self._add_new(consumer, opened, topic, beside) for topic in new])

    async def _add_new(self, consumer: Consumer, opened: _Opened, topic: str, beside: int) -> None:
        """Open one topic that came; if it cannot be now, the next period tries again."""
        if consumer.closed:
            return
        try:
            await self._add(consumer, opened, [topic], beside)
        except PulsarException as error:
            log.info("%s: %s could not be opened yet: %s", consumer.topic(), topic, error)

    async def grow(self) -> None:
        """Open consumers for partitions that are new."""
        for consumer, opened in list(self._open.items()):
            topics = [topic for topic, count in opened.counts.items() if count]
            if not topics or consumer.closed:
                continue
            try:
                await self._add(consumer, opened, topics)
            except PulsarException as error:
                log.info("partitions of %s could not be opened: %s", consumer.topic(), error)

    # Ends.

    def _forget(self, consumer: Consumer) -> None:
        opened = self._open.pop(consumer, None)
        if opened is not None and opened.discovery is not None:
            opened.discovery.cancel()

    async def close(self) -> None:
        """Close all."""
        await asyncio.gather(*[consumer.close() for consumer in list(self._open)])

    def end(self, error: PulsarException) -> None:
        """End all at once."""
        for consumer in list(self._open):
            for source in consumer.sources.values():
                source.fail(error)
            consumer.inbox.end(error)
        self._open.clear()

    def forked(self, error: PulsarException) -> None:
        """Mark all as dead, and touch nothing else."""
        for consumer in self._open:
            consumer.inbox.forked(error)
            for source in consumer.sources.values():
                source.forked(error)
