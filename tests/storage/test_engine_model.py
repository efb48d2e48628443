"""An engine against a dictionary: any order of adds, re-adds, fences, flushes, endings."""

import asyncio
import os
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from magnetar_proto.bookie import LAST_ENTRY, RECOVERY_ADD, Status

from tests.proto.bookie_contract import header_of, payload_of
from tests.storage.support import Box

LEDGERS = (3, 4)
IDS = st.integers(0, 40)
STEPS = st.one_of(
    st.tuples(st.just("add"), st.sampled_from(LEDGERS), st.lists(IDS, min_size=1, max_size=12)),
    st.tuples(st.just("run"), st.sampled_from(LEDGERS), st.tuples(IDS, st.integers(1, 30))),
    st.tuples(st.just("fence"), st.sampled_from(LEDGERS), st.none()),
    st.tuples(st.just("delete"), st.sampled_from(LEDGERS), st.none()),
    st.tuples(st.sampled_from(["flush", "crash", "reopen"]), st.none(), st.none()),
)


class Model:
    """What a bookie must answer."""

    def __init__(self) -> None:
        self.entries: dict[int, dict[int, bytes]] = {}
        self.fenced: set[int] = set()

    def status(self, ledger_id: int) -> Status:
        return Status.NO_ENTRY if ledger_id in self.entries else Status.NO_LEDGER

    def run_from(self, ledger_id: int, entry_id: int) -> list[bytes]:
        entries = self.entries.get(ledger_id, {})
        found = []
        while (entry := entries.get(entry_id)) is not None:
            found.append(entry)
            entry_id += 1
        return found


async def step(box: Box, model: Model, number: int, name: str, ledger: int, what: Any) -> None:
    if name in ("add", "run"):
        ids = what if name == "add" else list(range(what[0], what[0] + what[1]))
        size = 20 + number
        for entry_id in ids:
            entry = header_of(ledger, entry_id) + payload_of(entry_id, size)
            model.entries.setdefault(ledger, {})[entry_id] = entry
        ends = await box.add(
            list(dict.fromkeys(ids)), ledger_id=ledger, size=size, flags=RECOVERY_ADD
        )
        assert set(ends.values()) == {Status.OK}
        if ledger in model.fenced:
            assert set((await box.add([99], ledger_id=ledger)).values()) == {Status.FENCED}
    elif name == "fence":
        await box.fence(ledger)
        model.entries.setdefault(ledger, {})
        model.fenced.add(ledger)
    elif name == "delete":
        # Flushed first: what is only in the journal comes back, and is collected again later.
        await box.bookie.flush()
        await box.bookie.delete_ledgers([ledger])
        model.entries.pop(ledger, None)
        model.fenced.discard(ledger)
    elif name == "flush":
        await box.bookie.flush()
    elif name == "crash":
        await box.restart()
    else:
        await box.reopen()


async def check(box: Box, model: Model) -> None:
    assert not box.bookie.uncertain
    for ledger_id in LEDGERS:
        entries = model.entries.get(ledger_id, {})
        last = await box.read(LAST_ENTRY, ledger_id=ledger_id)
        if entries:
            assert last == (Status.OK, max(entries), [entries[max(entries)]])
        else:
            assert last[0] is model.status(ledger_id)
        for entry_id in range(72):
            expected = model.run_from(ledger_id, entry_id)
            status, _, found = await box.read(entry_id, ledger_id=ledger_id)
            assert found == expected, (ledger_id, entry_id)
            assert status is (Status.OK if expected else model.status(ledger_id))


async def run(steps: list[tuple[str, int, Any]]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        box, model = Box(Path(directory), read_cache_bytes=2000), Model()
        await box.open()
        for number, (name, ledger, what) in enumerate(steps):
            await step(box, model, number, name, ledger, what)
        await check(box, model)
        await box.bookie.flush()
        await check(box, model)
        await box.restart()
        await check(box, model)
        await box.bookie.close()


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(STEPS, min_size=1, max_size=15))
def test_engine_answers_as_a_dictionary_would(steps: list[tuple[str, int, Any]]) -> None:
    asyncio.run(run(steps))


@pytest.mark.nightly
@seed(int(os.environ.get("ENGINE_SEED", "1")))
@settings(
    max_examples=int(os.environ.get("ENGINE_STORIES", "100")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(st.lists(STEPS, min_size=1, max_size=40))
def test_engine_answers_as_a_dictionary_would_at_length(steps: list[tuple[str, int, Any]]) -> None:
    asyncio.run(run(steps))
