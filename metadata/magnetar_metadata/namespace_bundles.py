"""The bundles of a namespace: parts of the 32-bit hash space, each of which one broker serves."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self
from zlib import crc32

from magnetar_metadata.errors import MalformedRecordError


def topic_hash(full_name: str) -> int:
    """Where a topic lies in the hash space, by its full name with the domain."""
    return crc32(full_name.encode())


@dataclass(frozen=True, slots=True, order=True)
class Bundle:
    """The topics of a namespace with hashes from `lower` up to but without `upper`.

    The last bundle of a namespace has its upper end too.
    """

    namespace: str  # tenant/name
    lower: int
    upper: int

    @property
    def range(self) -> str:
        """As it stands in paths and answers: `0x00000000_0x40000000`."""
        return f"0x{self.lower:08x}_0x{self.upper:08x}"

    def __str__(self) -> str:
        return f"{self.namespace}/{self.range}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `tenant/name/0x..._0x...`. Raises MalformedRecordError."""
        namespace, _, ends = text.rpartition("/")
        lower, separator, upper = ends.partition("_")
        try:
            bundle = cls(namespace, int(lower, 16), int(upper, 16))
        except ValueError:
            raise MalformedRecordError("bundle", f"{text!r} is none") from None
        if not separator or not namespace or bundle.range != ends or bundle.lower >= bundle.upper:
            raise MalformedRecordError("bundle", f"{text!r} is none")
        return bundle


class NamespaceBundles:
    """All bundles of one namespace; together they cover the hash space."""

    __slots__ = ("_ends", "namespace")

    def __init__(self, namespace: str, boundaries: Sequence[str]) -> None:
        """
        Args:
            boundaries: as local policies have them, one more than there are bundles.

        Raises:
            MalformedRecordError: they are none.
        """
        self.namespace = namespace
        try:
            self._ends = [int(each, 16) for each in boundaries]
        except (TypeError, ValueError):
            raise MalformedRecordError("bundles", f"{namespace}: {boundaries!r}") from None
        ends = self._ends
        if len(ends) < 2 or any(ends[i] >= ends[i + 1] for i in range(len(ends) - 1)):
            raise MalformedRecordError("bundles", f"{namespace}: {boundaries!r} do not grow")

    @property
    def boundaries(self) -> tuple[str, ...]:
        return tuple(f"0x{each:08x}" for each in self._ends)

    @property
    def bundles(self) -> list[Bundle]:
        ends = self._ends
        return [Bundle(self.namespace, ends[i], ends[i + 1]) for i in range(len(ends) - 1)]

    def __contains__(self, bundle: Bundle) -> bool:
        return bundle in self.bundles

    def bundle_of(self, full_name: str) -> Bundle:
        """The bundle of a topic of this namespace."""
        ends = self._ends
        at = min(max(bisect_right(ends, topic_hash(full_name)), 1), len(ends) - 1)
        return Bundle(self.namespace, ends[at - 1], ends[at])

    def split(self, bundle: Bundle, at: int) -> "NamespaceBundles":
        """The bundles with one of them in two parts, the second of which begins with `at`."""
        assert bundle in self, "only what is there can be split"
        assert bundle.lower < at < bundle.upper, "both parts have topics"
        ends = sorted([*self._ends, at])
        return NamespaceBundles(self.namespace, [f"0x{each:08x}" for each in ends])


def middle(bundle: Bundle) -> int | None:
    """Where a bundle is split into equal parts of the hash space; None if it is too small."""
    at = bundle.lower + (bundle.upper - bundle.lower) // 2
    return at if at > bundle.lower else None


def median(bundle: Bundle, hashes: Sequence[int]) -> int | None:
    """Where a bundle is split so that each part has half of its topics; None if it has too few."""
    ordered = sorted(hashes)
    if len(ordered) < 2:
        return None
    right = ordered[len(ordered) // 2]
    left = ordered[len(ordered) // 2 - 1]
    at = left + (right - left) // 2
    return at if bundle.lower < at < bundle.upper else None
