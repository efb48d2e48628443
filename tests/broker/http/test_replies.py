"""HTTP statuses of the broker's errors."""

import pytest
from magnetar_broker import errors
from magnetar_broker.http.replies import status_of


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.TopicNotFoundError("x"), 404),
        (errors.NamespaceNotFoundError("x"), 404),
        (errors.NoSuchPartitionError("x"), 412),
        (errors.TopicExistsError("x"), 409),
        (errors.TopicBusyError("x"), 412),
        (errors.NotAllowedError("x"), 405),
        (errors.InvalidTopicNameError("x"), 412),
        (errors.ServiceNotReadyError("x"), 503),
        (errors.TooManyRequestsError("x"), 429),
        (errors.MetadataFailedError("x"), 500),
        (errors.UnknownBrokerError("x"), 500),
    ],
)
def test_status(error: errors.BrokerError, status: int) -> None:
    assert status_of(error) == status
