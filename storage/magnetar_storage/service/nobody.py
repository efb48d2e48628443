"""Takes the answers to a client that is gone.

A connection and its adds and reads refer to each other. Without this in its place a lost one would
stay, with its buffer, until the collector comes by, which is seldom here.
"""

from typing import Final

from magnetar_proto.bookkeeper.responses import Response


class Nobody:
    """Does nothing with what it is told."""

    writable = False

    def send(self, data: bytes) -> None:
        """See `magnetar_storage.service.adds.Output`."""

    def respond(self, response: Response) -> None:
        """See `magnetar_storage.service.adds.Output`."""

    def adds_ended(self, count: int) -> None:
        """See `magnetar_storage.service.adds.Output`."""

    def reads_waiting(self, count: int) -> None:
        """See `magnetar_storage.service.reads.Output`."""


NOBODY: Final = Nobody()
