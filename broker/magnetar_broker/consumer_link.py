"""What the consuming half of the broker needs from its neighbours.

`Connection` is a `ConsumerLink`; the service makes one `ConsumeContext` and hands it to every
subscription. The commands themselves are encoded on this side (`consumer.py`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from magnetar_runtime.clock import Clock

from magnetar_broker.consume_limits import ConsumeLimits
from magnetar_broker.dispatch.delayed_memory import DelayedMemory
from magnetar_broker.unacked_budget import UnackedBudget

if TYPE_CHECKING:
    from magnetar_broker.consumer import Consumer


class ConsumerLink(Protocol):
    """The connection of a consumer, as its dispatcher sees it.

    When `writable` turns true again the connection calls `consumers_writable`, and when it is lost
    `detach_consumers`, both of `handlers_consume`.

    Attributes:
        consumers: By the id that the client chose.
        subscribing: Consumers whose SUBSCRIBE is under way.
    """

    consumers: dict[int, Consumer]
    subscribing: dict[int, Consumer]

    @property
    def client_version(self) -> str:
        """As CONNECT gave it, such as `Pulsar-CPP-v4.2.0`."""

    @property
    def protocol_version(self) -> int:
        """The smaller of both sides' versions."""

    @property
    def remote_address(self) -> str:
        """`host:port` of the client."""

    @property
    def writable(self) -> bool:
        """False from `pause_writing` to `resume_writing`, and after the connection is lost."""

    def send(self, data: bytes) -> None:
        """Append to what leaves with the one write of this loop turn."""

    def send_parts(self, parts: Sequence[bytes], largest_bytes: int) -> None:
        """`send` for heads and payloads of messages: large payloads are not copied."""

    async def check_alive(self) -> bool:
        """PING the client; False (and the connection closed) if nothing comes back in time."""


class WorkScope(Protocol):
    """Where tasks begin: a `TaskScope`, or what stands before it."""

    def spawn(self, coroutine: Coroutine[Any, Any, Any], *, name: str) -> asyncio.Task[Any]:
        """Begin a task."""


@dataclass(frozen=True, slots=True)
class ConsumeContext:
    """What subscriptions share: one per broker service.

    Attributes:
        scope: Where background reads run. A topic has its own (`TopicWork`).
        clock: Time of connecting, publish times.
        call_later: The loop's `call_later`, in seconds.
        call_soon: The loop's `call_soon`.
        limits: The named limits of consuming.
        delayed_memory: What all indexes of delayed messages take.
        unacked_budget: What all consumers of Shared and Key_Shared hold.
        changing: Subscriptions whose cursor is being made or dropped, by names of topic and
            subscription.
        opening: Those of them that are being made.
    """

    scope: WorkScope
    clock: Clock
    call_later: Callable[[float, Callable[[], None]], object]
    call_soon: Callable[[Callable[[], None]], object]
    limits: ConsumeLimits
    delayed_memory: DelayedMemory
    unacked_budget: UnackedBudget = field(default_factory=UnackedBudget)
    changing: dict[tuple[str, str], asyncio.Future[None]] = field(default_factory=dict)
    opening: set[tuple[str, str]] = field(default_factory=set)
