"""Codes of the protocol as exceptions."""

from magnetar_broker.errors import ErrorCode, ProducerBusyError, UnknownBrokerError
from magnetar_broker.inner_client.answers_in import refused


def test_each_code_is_an_exception_of_that_code() -> None:
    for code in ErrorCode:
        error = refused(code, "why")
        assert (error.code, str(error)) == (code, "why")
    assert type(refused(ErrorCode.PRODUCER_BUSY, "")) is ProducerBusyError


def test_an_unknown_code_is_an_unknown_error() -> None:
    assert type(refused(99, "why")) is UnknownBrokerError
