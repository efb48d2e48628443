"""Frames of runs are what the codec makes of each add, and made once."""

import pytest
from magnetar_ledger.network.add_frames import AddFrames
from magnetar_proto.bookie import HIGH_PRIORITY, RECOVERY_ADD
from magnetar_proto.bookkeeper.requests import VERSION_2, AddRequest
from magnetar_proto.bookkeeper.stream import encode_request

from tests.proto.bookie_contract import KEY, LEDGER, header_of, payload_of


@pytest.mark.parametrize("flags", [0, RECOVERY_ADD | HIGH_PRIORITY])
@pytest.mark.parametrize("sizes", [[20, 20, 30, 20], [5000, 3000], [20]])
def test_the_bytes_are_those_of_the_codec(sizes: list[int], flags: int) -> None:
    headers = [header_of(LEDGER, entry_id) for entry_id in range(len(sizes))]
    payloads = [payload_of(entry_id, size) for entry_id, size in enumerate(sizes)]
    expected: list[bytes] = []
    for entry_id, (header, payload) in enumerate(zip(headers, payloads, strict=True)):
        request = AddRequest(VERSION_2, 0, flags, LEDGER, entry_id, KEY, header, payload)
        encode_request(request, expected)
    parts = AddFrames().parts(KEY, headers, payloads, flags)
    assert b"".join(parts) == b"".join(expected)
    large = sizes[0] > 2000
    assert (payloads[0] in parts) == large  # not copied


def test_a_run_is_made_once_and_not_for_others() -> None:
    frames = AddFrames()
    headers, payloads = [header_of(LEDGER, 0)], [b"x"]
    first = frames.parts(KEY, headers, payloads, 0)
    assert frames.parts(KEY, headers, payloads, 0) is first
    assert frames.parts(KEY, headers, payloads, RECOVERY_ADD) != first
    assert frames.parts(b"k" * 20, headers, payloads, RECOVERY_ADD) != first
    assert frames.parts(KEY, headers, [b"y"], 0) != first
    assert frames.parts(KEY, [header_of(LEDGER, 1)], payloads, 0) != first
