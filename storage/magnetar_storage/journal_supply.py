"""The files of a journal: one is written, the next one is made ready, old ones are taken away."""

import random
from collections.abc import Awaitable, Callable
from functools import partial

from magnetar_runtime.disk import Worker

from magnetar_storage.journal_files import JournalFile, JournalFiles
from magnetar_storage.journal_format import FileHeader


class JournalSupply:
    """Files for one journal. After the first error there are no new ones.

    Attributes:
        current: the file that is written; None before the first and after the end.
    """

    def __init__(
        self,
        files: JournalFiles,
        worker: Worker,
        housekeeper: Worker,
        rng: random.Random,
        *,
        ready: Callable[[], None],
        failed: Callable[[BaseException], None],
    ) -> None:
        """Args:
        worker: writes the current file, so it closes it.
        housekeeper: prepares and retires files.
        ready: a file was prepared.
        failed: the disk failed.
        """
        self._files = files
        self._worker = worker
        self._housekeeper = housekeeper
        self._rng = rng
        self._ready = ready
        self._failed = failed
        self.current: JournalFile | None = None
        self._next: JournalFile | None = None
        self._next_number = 0
        self._oldest_number = 0
        self._preparing = False
        self._over = False

    @property
    def file_count(self) -> int:
        """How many files there are, from the oldest that is needed on."""
        return self._next_number - self._oldest_number

    @property
    def open_files(self) -> list[JournalFile]:
        """The current one, and the next one if it is ready."""
        return [file for file in (self.current, self._next) if file is not None]

    async def begin(self, number: int, oldest_number: int, length: int) -> JournalFile:
        """Make the first file.

        Args:
            oldest_number: of the files that are there.

        Raises:
            OSError: the disk failed.
        """
        self._next_number = number
        self._oldest_number = oldest_number
        prepare = partial(self._files.prepare, self._next_header(length))
        file: JournalFile = await self._housekeeper.run(prepare)
        self.current = file
        return file

    def prepare(self, length: int) -> None:
        """Begin to make the next file ready, unless there is one."""
        if self._preparing or self._next is not None or self._over:
            return
        self._preparing = True
        prepare = partial(self._files.prepare, self._next_header(length))
        self._housekeeper.submit(prepare, self._prepared)

    def advance(self) -> JournalFile | None:
        """Go over to the next file; None if it is not ready."""
        assert self.current is not None
        if self._next is not None:
            self._worker.submit(self.current.file.close, self._done)
            self.current, self._next = self._next, None
            return self.current
        return None

    def retire_before(self, number: int) -> None:
        """Take the files before this one away. While replay needs them all it does nothing."""
        numbers = range(self._oldest_number, number)
        if self.current is not None and numbers:
            self._oldest_number = number
            self._housekeeper.submit(partial(self._files.retire, numbers), self._done)

    async def close(self, mark_end: Callable[[JournalFile], Awaitable[None]] | None) -> None:
        """Close the files.

        Args:
            mark_end: writes the clean end to the current one.

        Raises:
            OSError: the disk failed.
        """
        while self._preparing:
            await self._housekeeper.run(lambda: None)
        current, spare = self.current, self._next
        self.current = self._next = None
        try:
            if spare is not None:
                await self._housekeeper.run(spare.file.close)
            if current is not None and mark_end is not None:
                await mark_end(current)
        finally:
            if current is not None:
                await self._worker.run(current.file.close)

    def _prepared(self, file: JournalFile | None, error: BaseException | None) -> None:
        self._preparing = False
        if error is not None:
            self._fail(error)
            return
        self._next = file
        self._ready()

    def _done(self, _result: object, error: BaseException | None) -> None:
        if error is not None:
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        self._over = True
        self._failed(error)

    def _next_header(self, length: int) -> FileHeader:
        number = self._next_number
        self._next_number += 1
        return FileHeader(number, self._rng.getrandbits(64), length)
