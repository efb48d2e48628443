"""The tree of errors."""

import pytest
from magnetar_proto.errors import (
    CommandError,
    FrameError,
    FrameSizeError,
    PayloadError,
    ProtocolError,
)


@pytest.mark.parametrize("kind", [FrameSizeError, CommandError])
def test_what_breaks_a_stream_is_a_frame_error(kind: type[FrameError]) -> None:
    error = kind("why")
    assert isinstance(error, FrameError)
    assert error.frames == []
    assert str(error) == "why"


def test_a_bad_payload_does_not_break_the_stream() -> None:
    assert not issubclass(PayloadError, FrameError)
    assert issubclass(PayloadError, ProtocolError)
    assert issubclass(FrameError, ProtocolError)
