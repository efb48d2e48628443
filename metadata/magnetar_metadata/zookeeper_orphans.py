"""Sequential ephemeral nodes whose creation was never told: nobody knows their names.

1. We create `/election/V_`. 2. The server makes `V_0000000007` and the reply is lost. 3. We create
again and get `V_0000000008`. Node 7 lives as long as we do, and whoever holds 7 to be the leader
waits for ever. So after a lost reply the nodes of that prefix are looked through: what our own
session owns and nobody was told of is removed.
"""

from collections.abc import Awaitable, Callable
from typing import Final

SUFFIX_DIGITS: Final = 10


class SequentialNodes:
    """What was told, and which prefixes may have orphans. All of one session."""

    def __init__(self) -> None:
        self._told: set[str] = set()
        self._suspects: dict[str, None] = {}

    def told(self, path: str) -> None:
        """A caller knows of this node of its own."""
        self._told.add(path)

    def removed(self, path: str) -> None:
        self._told.discard(path)

    def reply_lost(self, prefix: str) -> None:
        """A create of this prefix may have made a node."""
        self._suspects[prefix] = None

    def session_ended(self) -> None:
        """All its nodes are gone."""
        self._told.clear()
        self._suspects.clear()

    def has_suspects(self) -> bool:
        return bool(self._suspects)

    def take_suspects(self) -> list[str]:
        """Prefixes to look through now."""
        suspects, self._suspects = list(self._suspects), {}
        return suspects

    def may_be_orphan(self, prefix: str, path: str) -> bool:
        """Whether a node of this path came from this prefix and nobody was told of it."""
        number = path.removeprefix(prefix)
        of_prefix = path.startswith(prefix) and number.lstrip("-").isdigit()
        return of_prefix and len(number) >= SUFFIX_DIGITS and path not in self._told


async def remove_orphans(
    nodes: SequentialNodes,
    prefix: str,
    paths: list[str],
    owned: Callable[[str], Awaitable[bool]],
    remove: Callable[[str], Awaitable[None]],
) -> list[str]:
    """Remove the orphans of a prefix and return their paths.

    Args:
        paths: all children of the prefix's parent, read after the reply was lost.
        owned: reads a node and says whether the session of now owns it.
    """
    orphans = []
    for path in paths:
        if not nodes.may_be_orphan(prefix, path) or not await owned(path):
            continue
        # Once more: a create that was under way when `paths` was read has been told by now, since
        # replies come in the order of the requests and `owned` asked after it.
        if nodes.may_be_orphan(prefix, path):
            await remove(path)
            orphans.append(path)
    return orphans
