import random

import pytest
from magnetar.errors import InvalidConfiguration
from magnetar.outgoing import MessageOptions
from magnetar.routing import java_string_hash, make_router, murmur_hash
from magnetar.types import PartitionsRoutingMode

RoundRobin = PartitionsRoutingMode.RoundRobinDistribution


def test_round_robin_without_a_key() -> None:
    router = make_router(RoundRobin, random.Random(1))
    chosen = [router(None, 3) for _ in range(6)]
    assert sorted(chosen[:3]) == [0, 1, 2]
    assert chosen[:3] == chosen[3:]


def test_a_key_goes_to_one_partition_in_every_mode() -> None:
    key = MessageOptions(partition_key="key")
    for mode in (RoundRobin, PartitionsRoutingMode.UseSinglePartition):
        router = make_router(mode, random.Random(2))
        assert {router(key, 7) for _ in range(5)} == {murmur_hash("key") % 7}


def test_one_partition_for_all_without_a_key() -> None:
    router = make_router(PartitionsRoutingMode.UseSinglePartition, random.Random(3))
    assert len({router(None, 5) for _ in range(9)}) == 1


def test_the_users_own() -> None:
    custom = PartitionsRoutingMode.CustomPartition
    assert make_router(custom, random.Random(), lambda _, count: count - 1)(None, 4) == 3
    with pytest.raises(InvalidConfiguration, match="message_router"):
        make_router(custom, random.Random())


def test_hash_of_javas_strings() -> None:
    assert java_string_hash("hello") == 99162322
    assert java_string_hash("") == 0
    assert java_string_hash("polygenelubricants") == 0  # the smallest number, without its sign
