"""What consumers stand on, in memory: a log with real cursors and cache, links that record."""

import asyncio
import random
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, takewhile
from typing import Any

from magnetar_broker.consume_limits import ConsumeLimits
from magnetar_broker.consumer import Consumer, ConsumerOptions
from magnetar_broker.consumer_link import ConsumeContext
from magnetar_broker.dispatch.delayed_memory import DelayedMemory
from magnetar_broker.subscription_type import HashRange, KeySharing, SubscriptionType
from magnetar_broker.topic_name import TopicName
from magnetar_ledger.errors import LedgerError
from magnetar_ledger.managed import Cursor, EntryCacheManager, ManagedLedgerConfig
from magnetar_ledger.managed.cursor_state import CursorState
from magnetar_ledger.managed.ledger_list import LedgerList
from magnetar_ledger.position import Position
from magnetar_proto import pulsar_api_pb2 as api
from magnetar_proto.frames import FrameSplitter
from magnetar_proto.payloads import encode_payload

TOPIC = TopicName.parse("persistent://public/default/t")


def payload(
    number: int,
    *,
    batch: int | None = None,
    published_ms: int = 0,
    key: str | None = None,
    deliver_at_ms: int | None = None,
    marker: int | None = None,
) -> bytes:
    """An entry as a producer writes it; a batch if a size is given."""
    metadata = api.MessageMetadata(producer_name="p", sequence_id=number, publish_time=published_ms)
    if batch is not None:
        metadata.num_messages_in_batch = batch
    if key is not None:
        metadata.partition_key = key
    if deliver_at_ms is not None:
        metadata.deliver_at_time = deliver_at_ms
    if marker is not None:
        metadata.marker_type = marker
    return encode_payload(metadata, b"body %d" % number)


class MemoryLog:
    """The part of a managed ledger that consumers use, over real ledger lists, cache and cursors.

    Attributes:
        cached: Whether what is added stays in the tail cache.
        gate: Reads of storage wait for it; open from the start.
        failures: Reads that fail before one succeeds.
        reads: Where reads of storage began.
    """

    def __init__(self, *, cached: bool = True) -> None:
        self.order = LedgerList()
        self.order.append_open(1)
        self.cached = cached
        self.cache = EntryCacheManager().new_cache()
        self.ledgers: dict[int, list[bytes]] = {1: []}
        self.gate = asyncio.Event()
        self.gate.set()
        self.failures = 0
        self.reads: list[Position] = []
        self.terminated = False
        self.cursors: dict[str, Cursor] = {}

    def add(self, *payloads: bytes) -> None:
        """Append entries that are durable at once."""
        ledger_id = self.order.current_id
        first = len(self.ledgers[ledger_id])
        size = sum(map(len, payloads))
        self.ledgers[ledger_id] += payloads
        self.order.grow(len(payloads), size)
        if self.cached:
            self.cache.append(ledger_id, first, payloads, size)

    def roll_over(self) -> None:
        """Begin a new ledger."""
        ledger_id = self.order.current_id + 1
        self.order.append_open(ledger_id)
        self.ledgers[ledger_id] = []

    def trim(self) -> None:
        """The oldest ledger goes."""
        ledger_id = self.order.ids[0]
        self.order.remove([ledger_id])
        del self.ledgers[ledger_id]

    @property
    def last_position(self) -> Position:
        return self.order.last_position()

    @property
    def first_position(self) -> Position:
        return self.order.first_position

    def previous_position(self, position: Position) -> Position:
        return self.order.before(position)

    def read_cached(
        self, position: Position, max_entries: int, max_bytes: int
    ) -> tuple[Position, list[bytes]] | None:
        start = self.order.at_or_after(position)
        found = self.cache.read(start, max_entries, max_bytes)
        return None if found is None else (start, found)

    async def read(
        self, position: Position, max_entries: int, max_bytes: int
    ) -> tuple[Position, list[bytes]]:
        self.reads.append(position)
        await self.gate.wait()
        if self.failures:
            self.failures -= 1
            raise LedgerError("planted")
        start = self.order.at_or_after(position)
        entries = self.ledgers.get(start.ledger_id, [])
        found = entries[start.entry_id : start.entry_id + max_entries]
        ends = accumulate(map(len, found))
        fits = sum(1 for _ in takewhile(lambda end: end <= max_bytes, ends))
        return start, found[: max(fits, 1)]

    async def find_first(self, predicate: Callable[[bytes], bool]) -> Position | None:
        for ledger_id, entries in self.ledgers.items():
            for entry_id, entry in enumerate(entries):
                if predicate(entry):
                    return Position(ledger_id, entry_id)
        return None

    def open_transient_cursor(self, name: str, start: Position) -> Cursor:
        cursor = Cursor(
            name,
            self.order,
            CursorState(self.order, self.order.before(start)),
            store=None,
            config=ManagedLedgerConfig(),
            scope=NO_SCOPE,  # type: ignore[arg-type]
            moved=lambda _: None,
            fenced=lambda _: None,
        )
        self.cursors[name] = cursor
        return cursor

    async def open_cursor(self, name: str, initial: Position, properties: Any = None) -> Cursor:
        await asyncio.sleep(0)
        cursor = self.open_transient_cursor(name, initial)
        cursor.durable = True
        return cursor

    async def delete_cursor(self, name: str) -> None:
        await asyncio.sleep(0)
        del self.cursors[name]


class NoScope:
    """Where nothing may run."""

    def spawn(self, work: Coroutine[Any, Any, None], *, name: str) -> None:
        work.close()
        raise AssertionError(f"{name} begun in the background")


NO_SCOPE = NoScope()


class LoopScope:
    """Runs tasks on the test's loop; a failure is raised by `settle`."""

    def __init__(self) -> None:
        self.tasks: set[asyncio.Task[None]] = set()

    def spawn(self, work: Coroutine[Any, Any, None], *, name: str) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self.tasks.add(task)
        return task

    async def settle(self, turns: int = 20) -> None:
        """Let the loop run for some turns."""
        for _ in range(turns):
            await asyncio.sleep(0)
        for task in [task for task in self.tasks if task.done()]:
            self.tasks.discard(task)
            task.result()


class FakeClock:
    """Stands still unless it is moved."""

    def __init__(self) -> None:
        self.now_ms = 1_700_000_000_123

    def monotonic_ns(self) -> int:
        return self.now_ms * 1_000_000

    def wall_ms(self) -> int:
        return self.now_ms


@dataclass
class Timers:
    """`call_later` and `call_soon` that wait to be told."""

    later: list[tuple[float, Callable[[], None]]] = field(default_factory=list)
    soon: list[Callable[[], None]] = field(default_factory=list)

    def call_later(self, delay_s: float, action: Callable[[], None]) -> None:
        self.later.append((delay_s, action))

    def call_soon(self, action: Callable[[], None]) -> None:
        self.soon.append(action)

    def fire(self) -> list[float]:
        """All that waits becomes due; returns the delays."""
        due, self.later = self.later, []
        for _, action in due:
            action()
        return [delay_s for delay_s, _ in due]

    def run_soon(self) -> int:
        """One turn of the loop; returns how many actions ran."""
        due, self.soon = self.soon, []
        for action in due:
            action()
        return len(due)


def context(timers: Timers | None = None, scope: Any = NO_SCOPE, **limits: Any) -> ConsumeContext:
    """A context whose timers and tasks the test drives."""
    timers = timers if timers is not None else Timers()
    return ConsumeContext(
        scope=scope,
        clock=FakeClock(),
        call_later=timers.call_later,
        call_soon=timers.call_soon,
        limits=(limits_of := ConsumeLimits(**limits)),
        delayed_memory=DelayedMemory(limits_of.delayed_index_memory_bytes),
    )


class FakeLink:
    """A connection that keeps what it is given to send, as frames.

    Attributes:
        alive: What a liveness probe finds.
        probes: How many there were.
        room_bytes: Turns unwritable when so much was sent since `drain`.
    """

    def __init__(self, *, version: str = "Pulsar-Java-v4.0.7", protocol_version: int = 21) -> None:
        self.client_version = version
        self.protocol_version = protocol_version
        self.remote_address = "127.0.0.1:50000"
        self.consumers: dict[int, Consumer] = {}
        self.subscribing: dict[int, Consumer] = {}
        self.writable = True
        self.alive = True
        self.probes = 0
        self.sent: list[bytes] = []
        self.room_bytes = 1 << 40

    def send(self, data: bytes) -> None:
        self.sent.append(data)

    def send_parts(self, parts: Sequence[bytes], largest_bytes: int) -> None:
        assert largest_bytes == max(map(len, parts[1::2]))
        self.sent += parts
        self.room_bytes -= sum(map(len, parts[1::2]))
        if self.room_bytes <= 0:
            self.writable = False

    async def check_alive(self) -> bool:
        self.probes += 1
        await asyncio.sleep(0)
        return self.alive

    def frames(self) -> list[tuple[Any, bytes | None]]:
        """The commands that were sent since the last call, with their payloads."""
        data = b"".join(self.sent)
        self.sent.clear()
        return [(message, body) for _, message, body in FrameSplitter(1 << 24).feed(data)]

    def commands(self) -> list[Any]:
        return [message for message, _ in self.frames()]

    def messages(self) -> list[api.CommandMessage]:
        """Of `commands`, the messages."""
        return [one for one in self.commands() if isinstance(one, api.CommandMessage)]

    def entries(self) -> list[tuple[int, int]]:
        """Positions of `messages`."""
        return [(one.message_id.ledgerId, one.message_id.entryId) for one in self.messages()]


def consumer(
    name: str = "c",
    kind: SubscriptionType = SubscriptionType.SHARED,
    *,
    consumer_id: int = 1,
    level: int = 0,
    epoch: int | None = None,
    link: FakeLink | None = None,
    sharing: KeySharing | None = None,
    hash_ranges: Sequence[HashRange] = (),
) -> Consumer:
    """A consumer that is known to its link."""
    link = link if link is not None else FakeLink()
    options = ConsumerOptions(
        consumer_id=consumer_id,
        name=name,
        type=kind,
        priority_level=level,
        epoch=epoch,
        sharing=sharing or KeySharing(),
        hash_ranges=hash_ranges,
    )
    made = Consumer(link, options, FakeClock().now_ms)
    link.consumers[consumer_id] = made
    return made


def link_of(one: Consumer) -> FakeLink:
    """The recording link of a consumer made by `consumer`."""
    assert isinstance(one.link, FakeLink)
    return one.link


def shuffled(count: int, seed: int) -> list[int]:
    """The numbers below `count` in an order drawn by seed."""
    numbers = list(range(count))
    random.Random(seed).shuffle(numbers)
    return numbers
