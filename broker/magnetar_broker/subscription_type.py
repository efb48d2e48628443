"""How the consumers of a subscription share its messages."""

from dataclasses import dataclass
from enum import IntEnum


class SubscriptionType(IntEnum):
    """The values stand in SUBSCRIBE."""

    EXCLUSIVE = 0
    SHARED = 1
    FAILOVER = 2
    KEY_SHARED = 3

    @property
    def label(self) -> str:
        """The name in statistics, such as `Key_Shared`."""
        return self.name.title()


HashRange = tuple[int, int]
"""The first and the last hash."""


@dataclass(frozen=True, slots=True)
class KeySharing:
    """How Key_Shared consumers share the keys; all of a subscription must say the same.

    Attributes:
        sticky: Consumers name their hashes; otherwise the hashes are split among them.
        out_of_order: A key may change hands while its former consumer holds messages of it.
    """

    sticky: bool = False
    out_of_order: bool = False

    @property
    def label(self) -> str:
        """The mode in statistics."""
        return "STICKY" if self.sticky else "AUTO_SPLIT"
