"""kazoo's errors in our tree. What comes from the threads is in test_zookeeper."""

import socket
import time

import pytest
from kazoo import exceptions as kazoo_errors
from magnetar_metadata.errors import (
    BadVersionError,
    MetadataError,
    NoNodeError,
    NotEmptyError,
    SessionExpiredError,
    UnknownOutcomeError,
)
from magnetar_metadata.store import Check, Delete
from magnetar_metadata.zookeeper_client import _first_error, _metadata_error, _PollingHandler


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (kazoo_errors.NoNodeError(), NoNodeError),
        (kazoo_errors.NoChildrenForEphemeralsError(), NotEmptyError),
        (kazoo_errors.ConnectionLoss(), UnknownOutcomeError),
        (kazoo_errors.ConnectionClosedError("x"), UnknownOutcomeError),
        (kazoo_errors.SessionExpiredError(), SessionExpiredError),
        (kazoo_errors.NoAuthError(), MetadataError),
        (RuntimeError("xids do not match"), UnknownOutcomeError),
    ],
)
def test_an_error_is_told_in_our_words(error: Exception, kind: type[MetadataError]) -> None:
    told = _metadata_error("/a", error)
    assert type(told) is kind
    assert told.path == "/a"
    assert str(told).startswith("/a: ")


def test_the_step_that_failed_is_told_not_its_neighbours() -> None:
    steps = [Delete("/1"), Check("/2", 3), Delete("/3")]
    results = [
        kazoo_errors.RolledBackError(),
        kazoo_errors.BadVersionError(),
        kazoo_errors.RuntimeInconsistency(),
    ]
    error = _first_error(steps, results)
    assert isinstance(error, BadVersionError)
    assert error.path == "/2"
    assert _first_error(steps, [True, None, True]) is None


def test_sockets_are_looked_at_as_kazoo_wants_it() -> None:
    select = _PollingHandler().select
    near, far = socket.socketpair()
    with near, far:
        assert select([near], [], [], 0) == ([], [], [])
        assert select([], [near], [], 5.0) == ([], [near], [])
        far.send(b"x")
        assert select([far, near], [], [], 5.0) == ([near], [], [])
        assert select([near], [], []) == ([near], [], [])
        near.recv(1)
        far.close()  # a hang-up is found by who reads
        assert select([near], [], [], 5.0) == ([near], [], [])


def test_a_look_lasts_as_long_as_it_may() -> None:
    near, far = socket.socketpair()
    with near, far:
        began_s = time.monotonic()
        assert _PollingHandler().select([near], [], [], 0.0101) == ([], [], [])
        assert time.monotonic() - began_s > 0.0101


def test_a_closed_socket_is_an_error() -> None:
    near, far = socket.socketpair()
    far.close()
    near.close()
    with pytest.raises(ValueError, match="negative"):
        _PollingHandler().select([near], [], [], 0)
