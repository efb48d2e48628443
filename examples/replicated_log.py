"""A key-value store whose write-ahead log is replicated: a chain of ledgers on bookies.

    python examples/replicated_log.py zk:127.0.0.1:2181 NAME

reads lines from stdin and answers each on stdout:

    set KEY VALUE     "ok ENTRY" when it is on an ack quorum of bookies; else "fenced", exit code 3,
                      or "unknown", exit code 4: then it may be in the log or not
    get KEY           "value VALUE" or "none"

Start it a second time, anywhere: the new process takes over. It recovers the ledgers, which fences
the process before it, replays them, and goes on in a ledger of its own. What the old process was
told is "ok" is there; what it tries afterwards is refused, even if it never noticed and is only
slow.

The one thing that the processes agree on is the list of ledgers, a node in the metadata store that
is changed by compare-and-set. Two that start at one time both recover; one of them writes the list.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from magnetar_ledger.appends import Appends
from magnetar_ledger.client import LedgerClient
from magnetar_ledger.connect import connect_with
from magnetar_ledger.errors import LedgerError, LedgerFencedError
from magnetar_ledger.writer import LedgerWriter
from magnetar_metadata.errors import BadVersionError, NodeExistsError
from magnetar_metadata.metadata_url import open_store
from magnetar_metadata.store import MetadataStore
from magnetar_runtime.clock import SystemClock

PASSWORD: Final = b"replicated-log"
READ_ENTRIES: Final = 1000
READ_BYTES: Final = 4 * 1024 * 1024
FENCED_EXIT: Final = 3
UNKNOWN_EXIT: Final = 4


class OthersTookOver(Exception):
    """Another process wrote the list of ledgers first."""


class LedgerList:
    """The node that says which ledgers the log consists of, oldest first."""

    def __init__(self, store: MetadataStore, name: str) -> None:
        self._store = store
        self._path = f"/replicated-logs/{name}"

    async def read(self) -> tuple[list[int], int | None]:
        """The ledgers, and the version of the list; None if there is no list yet."""
        node = await self._store.get(self._path)
        return ([], None) if node is None else (json.loads(node.value), node.stat.version)

    async def write(self, ledger_ids: list[int], version: int | None) -> None:
        value = json.dumps(ledger_ids).encode()
        try:
            if version is None:
                await self._store.create(self._path, value)
            else:
                await self._store.set(self._path, value, version)
        except (BadVersionError, NodeExistsError) as error:
            raise OthersTookOver from error


class KeyValueStore:
    """The state, which is nothing but what the log says."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}

    def apply(self, entry: bytes) -> None:
        key, value = json.loads(entry)
        self.values[key] = value

    @staticmethod
    def entry(key: str, value: str) -> bytes:
        return json.dumps([key, value]).encode()


async def replay(client: LedgerClient, ledger_ids: list[int], state: KeyValueStore) -> None:
    """Recover each ledger, so that nobody adds to it any more, and apply its entries."""
    for ledger_id in ledger_ids:
        reader = await client.open(ledger_id, password=PASSWORD, recover=True)
        entry_id = 0
        while entry_id <= reader.last_add_confirmed:
            entries = await reader.read(entry_id, READ_ENTRIES, READ_BYTES)
            for entry in entries:
                state.apply(entry)
            entry_id += len(entries)


@asynccontextmanager
async def own_ledger(
    client: LedgerClient, ledgers: LedgerList, state: KeyValueStore
) -> AsyncIterator[Appends]:
    """Take the log over: recover and replay it, and append a ledger of our own."""
    ledger_ids, version = await ledgers.read()
    await replay(client, ledger_ids, state)
    writer = await client.create(ensemble_size=3, write_quorum=3, ack_quorum=2, password=PASSWORD)
    try:
        # Before the first entry: what is not in the list nobody would replay.
        await ledgers.write([*ledger_ids, writer.ledger_id], version)
    except OthersTookOver:
        await writer.close()
        await client.delete(writer.ledger_id)
        raise
    try:
        yield Appends(writer)
    finally:
        await close_quietly(writer)


async def close_quietly(writer: LedgerWriter) -> None:
    try:
        await writer.close()
    except LedgerError as error:
        print(f"not closed: {error}", file=sys.stderr)  # whoever has it now will


async def lines() -> AsyncIterator[list[str]]:
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        yield line.decode().split()


async def serve(log: Appends, state: KeyValueStore) -> int:
    print("ready", flush=True)
    async for words in lines():
        match words:
            case ["set", key, value]:
                entry = state.entry(key, value)
                try:
                    entry_id = await log.append(entry)
                except LedgerFencedError as error:
                    print(f"fenced {error}", flush=True)
                    return FENCED_EXIT
                except LedgerError as error:
                    print(f"unknown {error}", flush=True)
                    return UNKNOWN_EXIT
                state.apply(entry)
                print(f"ok {entry_id}", flush=True)
            case ["get", key]:
                found = state.values.get(key)
                print("none" if found is None else f"value {found}", flush=True)
            case _:
                print("set KEY VALUE, or get KEY", flush=True)
    return 0


async def main(metadata_url: str, name: str) -> int:
    async with open_store(metadata_url, SystemClock()) as store, connect_with(store) as client:
        while True:
            state = KeyValueStore()
            try:
                async with own_ledger(client, LedgerList(store, name), state) as log:
                    return await serve(log, state)
            except OthersTookOver:
                print("another process was quicker; once more", file=sys.stderr)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(asyncio.run(main(*sys.argv[1:])))
