"""Roles in certificates, and what those without one are answered."""

from typing import Any

import pytest
from magnetar_proto.bookie import FENCE, Status
from magnetar_proto.bookkeeper import requests as req
from magnetar_proto.bookkeeper.requests import VERSION_2, VERSION_3, Operation
from magnetar_proto.bookkeeper.responses import AddResponse, ErrorResponse, ReadResponse
from magnetar_storage.service.security import refusals_of, role_of

from tests.storage.service.peer import KEY, LEDGER, add, read, write_lac


def certificate(*units: str) -> dict[str, Any]:
    names = [(("commonName", "somebody"),)]
    return {"subject": tuple(names + [(("organizationalUnitName", unit),) for unit in units])}


@pytest.mark.parametrize(
    ("found", "role"),
    [
        (None, None),
        ({}, None),
        (certificate(), None),
        (certificate("0:writer"), "writer"),
        (certificate("0:writer,reader;1:cluster"), "writer"),
        (certificate("1:cluster; 0: writer , reader"), "writer"),
        (certificate("writer"), None),
        (certificate("1:writer"), None),
        (certificate("0:"), None),
        (certificate("10:writer"), None),
        (certificate("0:writer", "0:other"), "writer"),
    ],
)
def test_the_role_of_a_certificate(found: dict[str, Any] | None, role: str | None) -> None:
    assert role_of(found) == role


@pytest.mark.parametrize(
    ("request_", "operation"),
    [
        (add(0, VERSION_3, 9), Operation.ADD_ENTRY),
        (read(0, VERSION_3, 9, FENCE, KEY), Operation.READ_ENTRY),
        (req.AuthRequest(VERSION_3, 9, "x", b""), Operation.AUTH),
        (write_lac(0, 9), Operation.WRITE_LAC),
        (req.ReadLacRequest(9, LEDGER), Operation.READ_LAC),
        (req.ForceLedgerRequest(9, LEDGER), Operation.FORCE_LEDGER),
        (req.BookieInfoRequest(9, 1), Operation.GET_BOOKIE_INFO),
        (req.ListEntriesRequest(9, LEDGER), Operation.GET_LIST_OF_ENTRIES_OF_LEDGER),
        (req.RefusedRequest(VERSION_3, 9, 12, Status.BAD_REQUEST), Operation.BATCH_READ_ENTRY),
    ],
)
def test_version_3_is_answered_with_a_status_alone(request_: req.Request, operation: int) -> None:
    expected = ErrorResponse(VERSION_3, 9, operation, Status.UNAUTHORIZED)
    assert refusals_of(request_) == [expected]


def test_version_2_is_answered_for_adds_and_reads() -> None:
    refused = Status.UNAUTHORIZED
    assert refusals_of(add(4)) == [AddResponse(VERSION_2, 0, refused, LEDGER, 4)]
    run = req.AddRun(0, LEDGER, range(4, 6), KEY, [b"", b""], [b"", b""])
    assert refusals_of(run) == [AddResponse(VERSION_2, 0, refused, LEDGER, n) for n in (4, 5)]
    assert refusals_of(read(4)) == [ReadResponse(VERSION_2, 0, refused, LEDGER, 4)]
    assert not refusals_of(req.AuthRequest(VERSION_2, 0, "x", b""))
    assert not refusals_of(req.BatchReadRequest(VERSION_2, 0, LEDGER, 0, 1, 1, 1))
