"""Small files of a directory that are replaced as a whole."""

from magnetar_runtime.disk import Disk


def replace_file(disk: Disk, directory: str, name: str, data: bytes) -> None:
    """Make a file durable: after a crash it is there as before, or with all of the data. Blocks.

    Raises:
        OSError: it may be there as before or as it shall be.
    """
    path = f"{directory}/{name}"
    partial_path = f"{path}.new"
    if disk.exists(partial_path):
        disk.unlink(partial_path)
    file = disk.create(partial_path)
    try:
        file.write_at(0, [data])
        file.sync()
    finally:
        file.close()
    disk.rename(partial_path, path)
    disk.sync_directory(directory)
