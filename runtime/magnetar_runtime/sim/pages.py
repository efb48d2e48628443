"""The bytes of a simulated file, in pages that copies share."""

from typing import Final

PAGE_BYTES: Final = 4096
SECTOR_BYTES: Final = 512
"""What a device writes wholly or not at all."""

_ZEROS: Final = bytes(PAGE_BYTES)


class Pages:
    """Sparse bytes with a length; a page that was never written reads as zero.

    Pages are immutable, so a copy costs a reference per page: a test may keep a copy of the whole
    disk for each of thousands of moments.
    """

    __slots__ = ("_pages", "size")

    def __init__(self) -> None:
        self._pages: dict[int, bytes] = {}
        self.size = 0

    def copy(self) -> "Pages":
        """The same bytes; writes to one are not seen in the other."""
        other = Pages()
        other._pages = self._pages.copy()
        other.size = self.size
        return other

    def read(self, offset: int, length: int) -> bytes:
        """Up to `length` bytes; fewer only at the end."""
        end = min(offset + length, self.size)
        if end <= offset:
            return b""
        first = offset // PAGE_BYTES
        numbers = range(first, (end - 1) // PAGE_BYTES + 1)
        data = b"".join([self._pages.get(number, _ZEROS) for number in numbers])
        start = offset - first * PAGE_BYTES
        return data[start : start + end - offset]

    def write(self, offset: int, data: bytes) -> None:
        """Put bytes at a place; the file grows to hold them."""
        end = offset + len(data)
        at = offset
        while at < end:
            number, start = divmod(at, PAGE_BYTES)
            piece = data[at - offset : at - offset + PAGE_BYTES - start]
            page = self._pages.get(number, _ZEROS)
            self._pages[number] = page[:start] + piece + page[start + len(piece) :]
            at += len(piece)
        self.size = max(self.size, end)

    def truncate(self, length: int) -> None:
        """Cut behind `length`, or grow with zeros up to it."""
        if length < self.size:
            whole, rest = divmod(length, PAGE_BYTES)
            self._pages = {n: page for n, page in self._pages.items() if n <= whole}
            if whole in self._pages:
                self._pages[whole] = self._pages[whole][:rest].ljust(PAGE_BYTES, b"\0")
        self.size = length

    def grow(self, length: int) -> None:
        """Be at least `length` bytes long."""
        self.size = max(self.size, length)
