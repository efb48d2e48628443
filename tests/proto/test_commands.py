"""Envelopes of commands: the short way and the long way say the same."""

import random

import pytest
from google.protobuf.message import DecodeError, EncodeError
from hypothesis import given, settings
from hypothesis import strategies as st
from magnetar_proto import pulsar_api_pb2 as api
from magnetar_proto.commands import (
    FIELD_OF_KIND,
    SHORT_ENVELOPES,
    parse_command,
    serialize_command,
)
from magnetar_proto.errors import CommandError

from tests.proto.golden import golden_frames


def recorded_commands() -> list[bytes]:
    frames = [golden.data for golden in golden_frames()]
    return [data[8 : 8 + int.from_bytes(data[4:8], "big")] for data in frames]


def short_way(data: bytes) -> tuple[int, object] | None:
    kind, parse, size = SHORT_ENVELOPES[int.from_bytes(data[:4], "big")]
    assert size == len(data)
    try:
        message = parse(data[4:])
    except DecodeError:
        return None
    return (kind, message) if message.IsInitialized() else None


def long_way(data: bytes) -> tuple[int, object] | None:
    try:
        return parse_command(data)
    except CommandError:
        return None


def test_recorded_commands_are_made_again() -> None:
    for data in recorded_commands():
        _, message = parse_command(data)
        assert serialize_command(message) == data


def test_a_base_command_may_be_given_whole() -> None:
    command = api.BaseCommand(type=api.BaseCommand.PING, ping=api.CommandPing())
    assert serialize_command(command) == serialize_command(api.CommandPing())


def test_both_ways_say_the_same_of_recorded_commands() -> None:
    hot = [data for data in recorded_commands() if data[:4] in short_heads()]
    assert len(hot) > 200
    for data in hot:
        assert short_way(data) == parse_command(data)


def short_heads() -> set[bytes]:
    return {head.to_bytes(4, "big") for head in SHORT_ENVELOPES}


@settings(deadline=None)
@given(st.sampled_from(range(2, 16)), st.binary(max_size=127))
def test_both_ways_say_the_same_of_anything(kind: int, body: bytes) -> None:
    data = bytes((8, kind, kind << 3 | 2, len(body))) + body
    assert short_way(data) == long_way(data)


def test_both_ways_say_the_same_of_changed_commands() -> None:
    rng = random.Random(7)
    hot = [data for data in recorded_commands() if data[:4] in short_heads() and len(data) > 4]
    for _ in range(3000):
        changed = bytearray(rng.choice(hot))
        changed[rng.randrange(4, len(changed))] = rng.randrange(256)
        assert short_way(bytes(changed)) == long_way(bytes(changed))


def test_every_type_has_its_message() -> None:
    for kind, name in FIELD_OF_KIND.items():
        assert api.BaseCommand.Type.Name(kind).lower() == name
    assert len(FIELD_OF_KIND) == len(api.BaseCommand.Type.keys())


def test_a_missing_field_is_the_callers_mistake() -> None:
    with pytest.raises(EncodeError):
        serialize_command(api.CommandSuccess())
