"""The errors of the wire: what a peer sent that is not the protocol.

    ProtocolError
      FrameError        the stream of frames cannot be followed any further
        FrameSizeError  a size field that cannot be, or is over a limit
        CommandError    a command that is unknown, unreadable or incomplete
      PayloadError      what stands behind a command is not a message

A `FrameError` costs the connection that it came from. A `PayloadError` costs the message.
"""

from typing import Any


class ProtocolError(Exception):
    """What a peer sent is not the protocol."""


class FrameError(ProtocolError):
    """The stream of frames cannot be followed any further.

    Attributes:
        frames: what was cut before it from the same chunk, so that an outcome need not depend on
            how the network cut the stream.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.frames: list[Any] = []


class FrameSizeError(FrameError):
    """A size field that cannot be, or that is over the limit."""


class CommandError(FrameError):
    """A command that is unknown, unreadable or incomplete."""


class PayloadError(ProtocolError):
    """What stands behind a command, or an entry that was stored, is not a message."""
