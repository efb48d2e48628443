"""The bundles that this broker owns: taken in one session, given back one by one, lost together.

States of a bundle: unknown, owned, leaving (its topics are being closed). What is owned was taken
by the session that is noted with it; when a session has ended, nothing of it is owned any more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from magnetar_metadata.namespace_bundles import Bundle


class OwnedBundles:
    """Attributes:
    session_id: In which everything here was taken.
    """

    def __init__(self) -> None:
        self.session_id = 0
        self._leaving: dict[Bundle, bool] = {}  # by bundle that is owned

    def __len__(self) -> int:
        return len(self._leaving)

    @property
    def bundles(self) -> list[Bundle]:
        """All of them, those that are leaving too."""
        return list(self._leaving)

    def begin_session(self, session_id: int) -> None:
        """Bundles may be taken in this session."""
        assert not self._leaving, "the bundles of a session end with it"
        self.session_id = session_id

    def taken(self, bundle: Bundle, session_id: int) -> bool:
        """A node was made for a bundle; False if its session has ended meanwhile."""
        if session_id != self.session_id:
            return False
        self._leaving.setdefault(bundle, False)
        return True

    def serves(self, bundle: Bundle) -> bool:
        """Whether topics of a bundle may be opened here."""
        return self._leaving.get(bundle) is False

    def is_leaving(self, bundle: Bundle) -> bool:
        """Whether the topics of a bundle are being closed here."""
        return self._leaving.get(bundle) is True

    def begin_leave(self, bundle: Bundle) -> bool:
        """Open no topic of a bundle any more; False if it is not owned, or is leaving already."""
        if not self.serves(bundle):
            return False
        self._leaving[bundle] = True
        return True

    def stay(self, bundle: Bundle) -> None:
        """It could not be left: it is served on."""
        if bundle in self._leaving:
            self._leaving[bundle] = False

    def left(self, bundle: Bundle) -> None:
        """Its node is gone, and its topics are closed."""
        self._leaving.pop(bundle, None)

    def split(self, bundle: Bundle, parts: tuple[Bundle, Bundle]) -> None:
        """Both parts are owned in its place; it may have been left meanwhile."""
        self._leaving.pop(bundle, None)
        for part in parts:
            self._leaving[part] = False

    def session_ended(self, session_id: int) -> list[Bundle]:
        """The bundles that were lost with a session, none of which may be served any more."""
        if session_id != self.session_id:
            return []
        lost, self._leaving, self.session_id = list(self._leaving), {}, 0
        return lost
