"""What can be set on a bookie engine."""

from dataclasses import dataclass

from magnetar_storage.errors import ConfigError

_MIB = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class BookieConfig:
    """Directories and limits of one engine.

    Attributes:
        ledger_directories: entry logs, location index, identity and lock; each with an engine of
            its own that fails by itself.
        journal_directories: journal files; best on devices of their own.
        journal_file_bytes: fixed length of a journal file; a larger group gets a larger file.
        journal_spare_files: files behind the mark that are kept for new use, because overwriting
            is about twice as quick as writing into fresh room.
        journal_seal_ms: so long after its last group a journal gets an empty one; 0 is never.
        journal_queue_bytes: bytes waiting for the journal above which `writable` is false; adds
            are refused at twice as many.
        write_cache_bytes: both halves of all directories together; one half is flushed while the
            other fills.
        read_cache_bytes: blocks read from entry logs and kept, in all directories together.
        read_ahead_blocks: blocks fetched ahead of a sequential reader.
        max_pending_reads: reads that may wait for the disk; more are refused.
        entry_log_bytes: length at which a new entry log is begun.
        flush_interval_ms: longest time that entries stay in the journal only.
        index_map_bytes: most that the location index may grow to; only address space.
        bookie_id: whose directories they must be; empty: whoever's, and a random id for new ones.
    """

    ledger_directories: tuple[str, ...]
    journal_directories: tuple[str, ...]
    journal_file_bytes: int = 64 * _MIB
    journal_spare_files: int = 4
    journal_seal_ms: int = 0
    journal_queue_bytes: int = 32 * _MIB
    write_cache_bytes: int = 64 * _MIB
    read_cache_bytes: int = 32 * _MIB
    read_ahead_blocks: int = 4
    max_pending_reads: int = 10_000
    entry_log_bytes: int = 256 * _MIB
    flush_interval_ms: int = 60_000
    index_map_bytes: int = 64 << 30
    bookie_id: str = ""

    def __post_init__(self) -> None:
        for directories in (self.ledger_directories, self.journal_directories):
            if not directories or len(set(directories)) < len(directories):
                raise ConfigError("directories must be named, and none of them twice")
        if self.journal_file_bytes < 16 << 10:
            raise ConfigError("journal_file_bytes must be at least 16384")
        if self.write_cache_bytes < 2:
            raise ConfigError("write_cache_bytes must leave room for two halves")
        if self.flush_interval_ms <= 0:
            raise ConfigError("flush_interval_ms must be positive")

    @property
    def half_cache_bytes(self) -> int:
        """Size at which a half of one directory's write cache is flushed."""
        return self.write_cache_bytes // (2 * len(self.ledger_directories))

    @property
    def block_cache_bytes(self) -> int:
        """Blocks that one directory keeps."""
        return self.read_cache_bytes // len(self.ledger_directories)
