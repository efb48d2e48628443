"""Which partition a message goes to."""

import random
from collections.abc import Callable
from typing import Final

from magnetar_proto.murmur import murmur3_32

from magnetar.errors import InvalidConfiguration
from magnetar.outgoing import MessageOptions
from magnetar.types import PartitionsRoutingMode

Router = Callable[[MessageOptions | None, int], int]
"""From what a message carries and the number of partitions to the index of one."""

_POSITIVE: Final = 0x7FFFFFFF


def java_string_hash(text: str) -> int:
    """The hash of Java's strings, without its sign."""
    value = 0
    encoded = text.encode("utf-16-be", "surrogatepass")
    for index in range(0, len(encoded), 2):
        value = (31 * value + int.from_bytes(encoded[index : index + 2])) & 0xFFFFFFFF
    return value & _POSITIVE


def murmur_hash(text: str) -> int:
    """Murmur3 of the text's UTF-8, without its sign."""
    return murmur3_32(text.encode()) & _POSITIVE


def make_router(
    mode: PartitionsRoutingMode,
    rng: random.Random,
    custom: Callable[[MessageOptions | None, int], int] | None = None,
    key_hash: Callable[[str], int] = murmur_hash,
    messages_per_turn: Callable[[], int] = lambda: 1,
) -> Router:
    """The router of one producer; messages with a key always go where the key belongs.

    Args:
        custom: what decides in mode `CustomPartition`.
        messages_per_turn: how many messages in a row one partition gets in the round-robin, so
            that batches fill.
    """
    if mode == PartitionsRoutingMode.CustomPartition:
        if custom is None:
            raise InvalidConfiguration("message_routing_mode CustomPartition needs message_router")
        return custom
    if mode == PartitionsRoutingMode.UseSinglePartition:
        chosen = rng.randrange(1 << 30)
        return lambda options, count: _of_key(options, count, key_hash, lambda: chosen)
    turns = _RoundRobin(rng.randrange(1 << 30), messages_per_turn)
    return lambda options, count: _of_key(options, count, key_hash, turns.next)


def _of_key(
    options: MessageOptions | None,
    count: int,
    key_hash: Callable[[str], int],
    otherwise: Callable[[], int],
) -> int:
    if options is not None and options.partition_key is not None:
        return key_hash(options.partition_key) % count
    return otherwise() % count


class _RoundRobin:
    def __init__(self, first: int, messages_per_turn: Callable[[], int]) -> None:
        self._turn = first
        self._left = 0
        self._messages_per_turn = messages_per_turn

    def next(self) -> int:
        if self._left == 0:
            self._turn += 1
            self._left = self._messages_per_turn()
        self._left -= 1
        return self._turn
