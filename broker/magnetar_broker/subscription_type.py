"""How the consumers of a subscription share its messages."""

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
