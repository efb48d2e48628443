"""Who wants a hint when a path changes."""

from collections.abc import Callable, Iterable

Hint = Callable[[str], None]


class WatchTable:
    """Hints by path. Changes of one turn are merged into one hint per watch."""

    def __init__(self) -> None:
        self._hints: dict[str, dict[object, Hint]] = {}
        self._changed: dict[str, None] = {}

    def watch(self, path: str, hint: Hint) -> Callable[[], None]:
        """Add a watch; the returned function ends it and may be called twice."""
        key = object()
        self._hints.setdefault(path, {})[key] = hint

        def end() -> None:
            hints = self._hints.get(path, {})
            hints.pop(key, None)
            if not hints:
                self._hints.pop(path, None)

        return end

    def paths(self) -> list[str]:
        """All that are watched."""
        return list(self._hints)

    def is_watched(self, path: str) -> bool:
        return path in self._hints

    def touched(self, paths: Iterable[str]) -> bool:
        """Note changes; True if hints wait now and did not before."""
        waiting = bool(self._changed)
        for path in paths:
            if path in self._hints:
                self._changed[path] = None
        return bool(self._changed) and not waiting

    def give_hints(self) -> None:
        """Call the hints that wait. A watch that was ended meanwhile gets none."""
        changed, self._changed = self._changed, {}
        for path in changed:
            for key, hint in list(self._hints.get(path, {}).items()):
                if key in self._hints.get(path, {}):
                    hint(path)
