"""Which bookies count as lost, and from when on. Pure.

The registrations that the store shows are all that is known of bookies. When the store itself was
away, many or all of them may be missing though their bookies are well. So:

- A bookie is lost when it has been missing for `delay_ms`, without a break.
- If more bookies are missing than are there, for `mass_loss_delay_ms` at least.
- If none is there, none is lost: there is nobody to copy from or to.
"""

from collections.abc import Iterable


class BookieLosses:
    """What an auditor knows. Times are milliseconds of a monotonic clock."""

    def __init__(self, mass_loss_delay_ms: float) -> None:
        self._mass_loss_delay_ms = mass_loss_delay_ms
        self._there: set[str] = set()
        self._missing: dict[str, float] = {}  # since when
        self._audited: set[str] = set()  # the ledgers of these are marked

    def observed(self, registered: set[str], now_ms: float) -> None:
        """Note who is there."""
        for bookie_id in sorted(self._there - registered):
            self._missing.setdefault(bookie_id, now_ms)
        for bookie_id in registered:
            self._missing.pop(bookie_id, None)
        self._audited -= registered
        self._there = set(registered)

    def named(self, bookie_ids: Iterable[str], now_ms: float) -> None:
        """Note who should be there, since ledgers name them."""
        for bookie_id in bookie_ids:
            if bookie_id not in self._there:
                self._missing.setdefault(bookie_id, now_ms)

    def restart(self, now_ms: float) -> None:
        """The store was away: who is missing has been so from now on, as far as one can tell."""
        self._missing = dict.fromkeys(self._missing, now_ms)

    def lost(self, delay_ms: float, now_ms: float) -> set[str]:
        """Whose ledgers are to be marked."""
        if not self._there:
            return set()
        delay_ms = self._delay(delay_ms)
        return {b for b, since in self._missing.items() if now_ms - since >= delay_ms}

    def audited(self, bookie_ids: set[str]) -> None:
        """The ledgers of these were marked: not to be done again while they stay away."""
        self._audited |= bookie_ids

    def next_ms(self, delay_ms: float) -> float | None:
        """When a bookie will be lost whose ledgers are not marked; None if there is none."""
        waiting = [since for b, since in self._missing.items() if b not in self._audited]
        if not waiting or not self._there:
            return None
        return min(waiting) + self._delay(delay_ms)

    def forget(self, bookie_ids: Iterable[str]) -> None:
        """No ledger names these any more."""
        for bookie_id in bookie_ids:
            self._missing.pop(bookie_id, None)
            self._audited.discard(bookie_id)

    @property
    def missing(self) -> set[str]:
        return set(self._missing)

    def _delay(self, delay_ms: float) -> float:
        if len(self._missing) > len(self._there):
            return max(delay_ms, self._mass_loss_delay_ms)
        return delay_ms
