"""The stats of a partitioned topic: those of its partitions taken together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

Stats = dict[str, Any]

_SAME_IN_ALL: Final = frozenset(
    ("backlogQuotaLimitSize", "backlogQuotaLimitTime", "deduplicationStatus", "ownerBroker")
)
_LATEST: Final = ("Timestamp", "TimeStamp", "AgeSeconds", "topicEpoch")


def together(parts: Iterable[Mapping[str, Any]]) -> Stats:
    """Counts and rates are added, names joined; of times the latest counts."""
    total: Stats = {}
    for part in parts:
        for key, value in part.items():
            total[key] = _joined(key, total[key], value) if key in total else _copy(value)
    if total.get("msgRateIn"):
        total["averageMsgSize"] = total["msgThroughputIn"] / total["msgRateIn"]
    return total


def _copy(value: Any) -> Any:
    return together((value,)) if isinstance(value, dict) else value


def _joined(key: str, one: Any, other: Any) -> Any:
    if key in _SAME_IN_ALL:
        return one
    if isinstance(one, dict):
        return together((one, other))
    if isinstance(one, list):
        return one + other
    if isinstance(one, bool):
        return one or other
    if isinstance(one, str):
        return one
    return max(one, other) if key.endswith(_LATEST) else one + other
