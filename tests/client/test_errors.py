import magnetar.errors as errors
import pytest
from magnetar_proto import pulsar_api_pb2 as api


def test_every_code_of_the_protocol_has_its_class() -> None:
    kinds = {code: type(errors.error_of(code, "x", "")) for code in api.ServerError.values()}
    assert len(set(kinds.values())) == len(kinds)
    assert kinds[api.ProducerFenced] is errors.ProducerFenced
    assert kinds[api.MetadataError] is errors.BrokerMetadataError


def test_a_code_that_is_not_known_may_be_tried_again() -> None:
    error = errors.error_of(99, "producer on t", "what")
    assert type(error) is errors.UnknownError
    assert error.retryable
    assert str(error) == "producer on t: what"


def test_without_the_brokers_words_the_class_speaks() -> None:
    assert "no more messages" in str(errors.error_of(api.TopicTerminatedError, "t", ""))


def test_a_timeout_is_one_of_pythons_too() -> None:
    with pytest.raises(TimeoutError):
        raise errors.Timeout("x")
