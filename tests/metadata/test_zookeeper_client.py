"""kazoo's errors in our tree. What comes from the threads is in test_zookeeper."""

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
from magnetar_metadata.zookeeper_client import _first_error, _metadata_error


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
