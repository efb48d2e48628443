"""Which ledgers a cursor has for buckets, as its property says it."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Final, Self

BUCKETS_PROPERTY: Final = "#pulsar.internal.magnetar.buckets"
"""Pulsar keeps a cursor's properties of this prefix when somebody sets others, and so do we."""
_FORMAT: Final = 1


class MalformedBucketListError(Exception):
    """A cursor's property is no list of buckets. Never leaves this package."""


@dataclass(frozen=True, slots=True)
class BucketList:
    """Ledgers by what is to become of them.

    Attributes:
        kept: Whole, and needed.
        going: To be deleted: not finished yet, or needed no more. They may be gone already.
        note: What the owner of the buckets has to remember with them.
    """

    kept: tuple[int, ...] = ()
    going: tuple[int, ...] = ()
    note: str = ""

    @property
    def ids(self) -> tuple[int, ...]:
        """All that may be there."""
        return (*self.kept, *self.going)

    def with_kept(self, kept: Collection[int], note: str) -> Self:
        """Others are kept now; those that were, and are not any more, are going."""
        going = [each for each in self.ids if each not in kept]
        return replace(self, kept=tuple(kept), going=tuple(going), note=note)

    def with_going(self, ledger_id: int) -> Self:
        """A ledger is about to be made."""
        return replace(self, going=(*self.going, ledger_id))

    def without(self, gone: Collection[int]) -> Self:
        """Ledgers were deleted."""
        return replace(self, going=tuple(each for each in self.going if each not in gone))

    def put_into(self, properties: Mapping[str, str]) -> dict[str, str]:
        """A cursor's properties with this list; without a word of it if it says nothing."""
        others = {key: value for key, value in properties.items() if key != BUCKETS_PROPERTY}
        if not self.ids and not self.note:
            return others
        text = json.dumps(
            {"format": _FORMAT, "kept": self.kept, "going": self.going, "note": self.note}
        )
        return {**others, BUCKETS_PROPERTY: text}

    @classmethod
    def of(cls, properties: Mapping[str, str]) -> Self:
        """The list of a cursor's properties; empty if there is none.

        Raises:
            MalformedBucketListError: it is of another format, or damaged.
        """
        text = properties.get(BUCKETS_PROPERTY)
        if text is None:
            return cls()
        try:
            record = json.loads(text)
            if record["format"] != _FORMAT:
                raise MalformedBucketListError(f"format {record['format']}")
            kept, going = (tuple(map(int, record[key])) for key in ("kept", "going"))
            return cls(kept, going, str(record["note"]))
        except (KeyError, TypeError, ValueError) as error:
            raise MalformedBucketListError(repr(error)) from error
