"""The errors of the broker and their codes."""

import pytest
from magnetar_broker import errors
from magnetar_broker.errors import BrokerError, ErrorCode, as_broker_error
from magnetar_ledger.errors import ManagedLedgerTerminatedError, NotEnoughBookiesError
from magnetar_metadata.store import NoNodeError
from magnetar_proto import pulsar_api_pb2 as api

_DIRECT = BrokerError.__subclasses__()


def test_codes_are_those_of_the_protocol() -> None:
    known = dict(api.ServerError.items())
    wire = {name.replace("Error", "").upper(): value for name, value in known.items()}
    for code in ErrorCode:
        assert wire[code.name.replace("_", "")] == code


def test_each_code_is_mapped_once() -> None:
    codes = [kind.code for kind in _DIRECT]
    assert len(codes) == len(set(codes))
    assert set(codes) == set(ErrorCode)


def test_tree_in_the_documentation_is_complete() -> None:
    assert errors.__doc__ is not None
    for kind in _DIRECT:
        assert kind.__name__ in errors.__doc__
        for derived in kind.__subclasses__():
            assert derived.code is kind.code
            assert derived.__name__ in errors.__doc__


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.ConsumerBusyError("x"), ErrorCode.CONSUMER_BUSY),
        (NotEnoughBookiesError("x"), ErrorCode.PERSISTENCE),
        (ManagedLedgerTerminatedError("x"), ErrorCode.TOPIC_TERMINATED),
        (NoNodeError("/x"), ErrorCode.METADATA),
        (ZeroDivisionError("x"), ErrorCode.UNKNOWN),
    ],
)
def test_errors_of_other_layers(error: Exception, code: ErrorCode) -> None:
    told = as_broker_error(error)
    assert told.code is code
    assert "x" in str(told)
