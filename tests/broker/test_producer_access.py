"""The rules of the access modes, without a broker."""

from types import SimpleNamespace
from typing import Any

import pytest
from magnetar_broker.errors import ProducerBusyError, ProducerFencedError
from magnetar_broker.producer_access import Claim, ProducerAccess
from magnetar_proto import pulsar_api_pb2 as api

SHARED, EXCLUSIVE, WAIT, FENCING = range(4)
assert api.ProducerAccessMode.keys() == [
    "Shared",
    "Exclusive",
    "WaitForExclusive",
    "ExclusiveWithFencing",
]


class FakeProducer(SimpleNamespace):
    """A producer is one thing, whatever it looks like."""

    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other


def producer(mode: int, epoch: int | None = None, name: str = "p") -> Any:
    topic = SimpleNamespace(name="t")
    return FakeProducer(access_mode=mode, topic_epoch=epoch, name=name, topic=topic)


@pytest.mark.parametrize("mode", [SHARED, EXCLUSIVE, WAIT, FENCING])
def test_an_empty_topic_takes_everybody_at_once(mode: int) -> None:
    access = ProducerAccess(None)
    newcomer = producer(mode)
    claim = access.claim(newcomer, [])
    if mode == SHARED:
        assert (claim, access.owner, access.epoch) == (Claim.JOIN, None, None)
    else:
        assert (claim, access.owner, access.epoch) == (Claim.OWN, newcomer, 0)


@pytest.mark.parametrize(
    ("mode", "beside_shared", "beside_owner", "beside_waiting"),
    [
        (SHARED, Claim.JOIN, ProducerBusyError, ProducerBusyError),
        (EXCLUSIVE, ProducerFencedError, ProducerFencedError, ProducerFencedError),
        (WAIT, Claim.WAIT, Claim.WAIT, Claim.WAIT),
        (FENCING, Claim.OWN, Claim.OWN, Claim.OWN),
    ],
)
def test_beside_others(
    mode: int, beside_shared: Any, beside_owner: Any, beside_waiting: Any
) -> None:
    shared = ProducerAccess(None)
    one = producer(SHARED)
    shared.claim(one, [])
    assert outcome(shared, mode, [one]) == beside_shared

    owned = ProducerAccess(None)
    owner = producer(EXCLUSIVE)
    owned.claim(owner, [])
    assert outcome(owned, mode, [owner]) == beside_owner
    # The same while the owner's epoch is being kept and it is not attached yet.
    owned = ProducerAccess(None)
    owned.claim(producer(EXCLUSIVE), [])
    assert outcome(owned, mode, []) == beside_owner

    waited = ProducerAccess(None)
    one = producer(SHARED)
    waited.claim(producer(WAIT), [one])
    assert outcome(waited, mode, [one]) == beside_waiting


def outcome(access: ProducerAccess, mode: int, present: list[Any]) -> Any:
    try:
        return access.claim(producer(mode), present)
    except (ProducerBusyError, ProducerFencedError) as error:
        return type(error)


def test_each_owner_has_an_epoch_of_its_own() -> None:
    access = ProducerAccess(4)
    for epoch in (5, 6, 7):
        owner = producer(FENCING)
        access.claim(owner, [])
        assert access.epoch == epoch
    access.claim(producer(SHARED), [], owner)
    assert (access.owner, access.epoch) == (None, 7)


def test_an_owner_that_comes_again_keeps_its_epoch() -> None:
    access = ProducerAccess(5)
    access.claim(producer(EXCLUSIVE, 5), [])
    assert access.epoch == 5


@pytest.mark.parametrize("mode", [EXCLUSIVE, WAIT, FENCING])
@pytest.mark.parametrize("epoch", [4, 0, 2**64 - 1])
def test_an_owner_before_the_latest_is_fenced(mode: int, epoch: int) -> None:
    access = ProducerAccess(5)
    with pytest.raises(ProducerFencedError, match="epoch has already moved"):
        access.claim(producer(mode, epoch), [])
    assert access.owner is None


def test_an_old_owner_with_fencing_does_not_drive_out_the_present_one() -> None:
    """Pulsar drives it out before it looks at the epoch."""
    access = ProducerAccess(None)
    old, new = producer(FENCING), producer(FENCING)
    access.claim(old, [])
    access.claim(new, [old])
    with pytest.raises(ProducerFencedError):
        access.claim(producer(FENCING, 0), [new])
    assert access.owner is new


@pytest.mark.parametrize(("asked", "epoch"), [(None, 3), (0, 3), (1, 3), (2, 2)])
def test_who_waits_never_brings_an_old_epoch_back(asked: int | None, epoch: int) -> None:
    access = ProducerAccess(1)
    owner, waiter = producer(EXCLUSIVE), producer(WAIT, asked)
    access.claim(owner, [])
    assert access.claim(waiter, [owner]) is Claim.WAIT
    assert access.next_owner() is None
    access.release(owner)
    assert access.next_owner() is waiter
    assert (access.owner, access.epoch) == (waiter, epoch)


def test_waiting_is_first_come_first_served() -> None:
    access = ProducerAccess(None)
    one = producer(SHARED)
    waiters = [producer(WAIT) for _ in range(4)]
    for waiter in waiters:
        access.claim(waiter, [one])
    access.release(waiters[1])
    order = []
    while (owner := access.next_owner()) is not None:
        order.append(owner)
        access.release(owner)
    assert order == [waiters[0], waiters[2], waiters[3]]
