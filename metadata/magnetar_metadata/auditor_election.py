"""The election of the auditor, as BookKeeper holds it: the oldest vote leads.

Two auditors for a moment do no harm, since all they do is to mark; so a leader that cannot ask
the store goes on.
"""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from magnetar_metadata.errors import MetadataError, NoNodeError
from magnetar_metadata.ledger_paths import LEDGERS_ROOT
from magnetar_metadata.store import MetadataStore
from magnetar_metadata.underreplication_records import (
    decode_vote,
    encode_vote,
    underreplication_root,
)

log = logging.getLogger(__name__)

RETRY_DELAY_MS: Final = 1_000
_PREFIX: Final = "V_"


class AuditorElection:
    """A candidate. Several in one process need several sessions of the store."""

    def __init__(self, store: MetadataStore, bookie_id: str, root: str = LEDGERS_ROOT) -> None:
        self._store = store
        self._value = encode_vote(bookie_id)
        self._root = f"{underreplication_root(root)}/auditorelection"
        self._vote: str | None = None
        self._changed = asyncio.Event()
        store.when_session_ends(lambda _: self._changed.set())

    async def won(self) -> None:
        """Wait until this candidate leads."""
        await self._until(leads=True)

    async def lost(self) -> None:
        """Wait until it does so no more: its session has ended, or somebody removed its vote."""
        await self._until(leads=False)

    async def withdraw(self) -> None:
        """Take the vote back. Raises MetadataError."""
        vote, self._vote = self._vote, None
        if vote is not None:
            with suppress(NoNodeError):
                await self._store.delete(f"{self._root}/{vote}")

    async def leader(self) -> str | None:
        """Who leads now. Raises MalformedRecordError."""
        for vote in in_order(await self._store.children(self._root)):
            node = await self._store.get(f"{self._root}/{vote}")
            if node is not None:
                return decode_vote(node.value)
        return None

    async def _until(self, *, leads: bool) -> None:
        end_watch = self._store.watch(self._root, lambda _: self._changed.set())
        try:
            while True:
                self._changed.clear()
                try:
                    if await self._leads(vote_anew=leads) == leads:
                        return
                except MetadataError as error:
                    log.info("who is the auditor cannot be told now: %s", error)
                    await asyncio.sleep(RETRY_DELAY_MS / 1000)
                    continue
                await self._changed.wait()
        finally:
            end_watch()

    async def _leads(self, *, vote_anew: bool) -> bool:
        votes = in_order(await self._store.children(self._root))
        if not await self._is_own(self._vote, votes):
            self._vote = await self._own_among(votes)
        if self._vote is None and vote_anew:
            path = await self._store.create(
                f"{self._root}/{_PREFIX}", self._value, ephemeral=True, sequential=True
            )
            self._vote = path.rpartition("/")[2]
            votes = in_order(await self._store.children(self._root))
        return bool(votes) and votes[0] == self._vote

    async def _own_among(self, votes: Sequence[str]) -> str | None:
        """A vote of this session whose reply was lost: not to be waited for as if another's."""
        for vote in votes:
            if await self._is_own(vote, votes):
                return vote
        return None

    async def _is_own(self, vote: str | None, votes: Sequence[str]) -> bool:
        if vote not in votes:
            return False
        node = await self._store.get(f"{self._root}/{vote}")
        return node is not None and node.stat.ephemeral_owner == self._store.session_id


def in_order(votes: Sequence[str]) -> list[str]:
    """Votes by their number, the oldest first; other names are none."""
    numbers = {vote: vote.removeprefix(_PREFIX) for vote in votes if vote.startswith(_PREFIX)}
    return sorted(
        (vote for vote, number in numbers.items() if number.isdigit()),
        key=lambda vote: int(numbers[vote]),
    )
