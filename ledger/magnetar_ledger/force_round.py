"""One force of all bookies of an ensemble: who is to be asked, who has answered. Pure."""

from collections.abc import Collection, Iterable


class ForceRound:
    """Forces entries up to `through`.

    A bookie is asked when it has acknowledged all its entries up to there: no matter then whether
    it does what comes on one connection in order.
    """

    def __init__(self, through: int, places: Iterable[int]) -> None:
        self.through = through
        self._to_ask = set(places)
        self._asked: set[int] = set()

    def ask_now(self, lagging: Collection[int]) -> list[int]:
        """The places that are to be asked now; `lagging` owe an ack."""
        ready = sorted(self._to_ask.difference(lagging))
        self._to_ask.difference_update(ready)
        self._asked.update(ready)
        return ready

    def answered(self, place: int) -> None:
        """All entries of this place up to `through` are durable."""
        self._asked.discard(place)

    def failed(self, place: int) -> None:
        """The place counts no more."""
        self._to_ask.discard(place)
        self._asked.discard(place)

    def replaced(self, places: Iterable[int]) -> None:
        """New bookies, that get all entries again."""
        self._to_ask.update(places)

    @property
    def asks(self) -> bool:
        """Whether anybody is still to be asked."""
        return bool(self._to_ask)

    @property
    def over(self) -> bool:
        """Whether all have answered."""
        return not self._to_ask and not self._asked
