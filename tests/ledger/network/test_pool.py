"""Bookies by id, and where they are."""

import pytest
from magnetar_ledger.errors import NotEnoughBookiesError
from magnetar_ledger.network.pool import NetworkBookies, address_of
from magnetar_metadata.bookie_registry import BookieEndpoint, BookieServiceInfo
from magnetar_metadata.errors import UnknownOutcomeError
from magnetar_runtime.network import SystemNetwork
from magnetar_runtime.scope import TaskScope


@pytest.mark.parametrize(
    ("bookie_id", "endpoints", "address"),
    [
        ("b1", [BookieEndpoint("bookie", "one", 3181)], ("one", 3181)),
        (
            "b1",
            [
                BookieEndpoint("http", "one", 8080, "http"),
                BookieEndpoint("bookie", "two", 3182),
            ],
            ("two", 3182),
        ),
        ("127.0.0.1:3181", [], ("127.0.0.1", 3181)),
        ("[::1]:3181", [], ("::1", 3181)),
        ("127.0.0.1:99999", [], None),
        ("b1", [BookieEndpoint("http", "one", 8080, "http")], None),
        ("b1", None, None),
        ("host:3181", None, ("host", 3181)),
    ],
)
def test_addresses(
    bookie_id: str, endpoints: list[BookieEndpoint] | None, address: tuple[str, int] | None
) -> None:
    info = None if endpoints is None else BookieServiceInfo(tuple(endpoints))
    assert address_of(bookie_id, info) == address


async def test_the_last_known_address_serves_while_nobody_can_say() -> None:
    answers: list[BookieServiceInfo | Exception | None] = [
        BookieServiceInfo((BookieEndpoint("bookie", "one", 3181),)),
        UnknownOutcomeError("/ledgers/available/b1"),
        None,
        BookieServiceInfo((BookieEndpoint("bookie", "two", 3181),)),
    ]

    async def ask(bookie_id: str) -> BookieServiceInfo | None:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    pool = NetworkBookies(ask, SystemNetwork(), TaskScope())
    found = [await pool._address("b1") for _ in range(4)]
    assert found == [("one", 3181)] * 3 + [("two", 3181)]
    answers.append(None)
    with pytest.raises(NotEnoughBookiesError):
        await pool._address("b2")
    assert pool.bookie("b1") is pool.bookie("b1")
    assert pool.bookie("b1") is not pool.bookie("b2")
