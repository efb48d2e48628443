"""Producers and consumers of a client: each kind is loaded when the first is opened."""

import asyncio
import random
import subprocess
import sys
from typing import Any, cast

import pytest
from magnetar import Client
from magnetar.errors import AlreadyClosed
from magnetar.setups import Setups
from magnetar_runtime.clock import SystemClock
from magnetar_runtime.scope import TaskScope

LOOK = """
import asyncio, sys
import magnetar

async def main():
    async with magnetar.Client("pulsar://127.0.0.1:1") as client:
        client._setups.{kind}

asyncio.run(main())
print(*[name for name in ("magnetar.producer", "magnetar.consumer") if name in sys.modules])
"""


def some() -> Setups:
    nothing = cast(Any, None)
    return Setups(nothing, TaskScope(), SystemClock(), random.Random(1), 5, nothing)


class Kind:
    """Stands for what opens one kind, and notes what it is told."""

    def __init__(self, name: str, notes: list[tuple[str, str]]) -> None:
        self.name = name
        self.notes = notes

    async def close(self) -> None:
        self.notes.append((self.name, "close"))
        await asyncio.sleep(0)

    async def grow(self) -> None:
        self.notes.append((self.name, "grow"))

    def end(self, error: Exception) -> None:
        self.notes.append((self.name, str(error)))

    forked = end


@pytest.mark.parametrize("kind", ["producers", "consumers"])
def test_one_kind_does_not_load_the_other(kind: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOOK.format(kind=kind)], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [f"magnetar.{kind.removesuffix('s')}"]


def test_there_is_one_of_each() -> None:
    setups = some()
    assert setups.producers is setups.producers
    assert setups.consumers is setups.consumers


async def test_what_was_never_opened_needs_no_end() -> None:
    setups = some()
    await setups.grow()
    await setups.close()
    setups.end(AlreadyClosed("gone"))
    setups.forked(AlreadyClosed("forked"))
    assert setups._producers is None
    assert setups._consumers is None


async def test_both_are_told_and_consumers_close_first() -> None:
    setups, notes = some(), cast(list[tuple[str, str]], [])
    setups._producers = cast(Any, Kind("producers", notes))
    setups._consumers = cast(Any, Kind("consumers", notes))
    await setups.close()
    assert notes == [("consumers", "close"), ("producers", "close")]
    notes.clear()
    await setups.grow()
    setups.end(AlreadyClosed("gone"))
    setups.forked(AlreadyClosed("forked"))
    assert sorted(notes) == sorted(
        (name, what) for name in ("consumers", "producers") for what in ("grow", "gone", "forked")
    )


async def test_a_closed_client_loads_neither() -> None:
    client = Client("pulsar://127.0.0.1:1")
    await client.close()
    with pytest.raises(AlreadyClosed):
        await client.create_producer("t")
    assert client._setups._producers is None
