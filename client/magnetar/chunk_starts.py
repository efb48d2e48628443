"""Where messages in chunks begin that a reader was not given yet.

A reader whose connection ends goes on behind the last message that it gave. A message whose first
chunk lies before that, and whose last comes later, would never be whole again: the broker has to
begin at its first chunk.
"""

from typing import Final

from magnetar.incoming import Place

MAX_GIVEN_SINCE: Final = 10_000
"""A message that so many others came after is left: its sender is dead, and all those would come
again with each new connection."""


class ChunkStarts:
    """First chunks, with how many messages had been given when each came."""

    def __init__(self) -> None:
        self._given_at: dict[Place, int] = {}
        self._given = 0

    def began(self, first: Place, instead_of: Place | None = None) -> None:
        """The first chunk of a message is here, perhaps once more.

        Args:
            instead_of: where it was before its producer sent it again.
        """
        if instead_of is not None and instead_of != first:
            self.ended(instead_of)
        self._given_at.setdefault(first, self._given)

    def ended(self, first: Place) -> None:
        """A message is not wanted: it was given before, or up."""
        self._given_at.pop(first, None)

    def given(self, first: Place | None) -> None:
        """The user was given a message; `first` if it was in chunks."""
        self._given += 1
        if self._given_at and first is not None:
            self._given_at.pop(first, None)

    def clear(self) -> None:
        """All is forgotten: the reader goes on elsewhere."""
        self._given_at.clear()

    def earliest(self) -> Place | None:
        """Where to begin so that none is lost."""
        oldest = self._given - MAX_GIVEN_SINCE
        self._given_at = {place: at for place, at in self._given_at.items() if at >= oldest}
        return min(self._given_at, default=None)
