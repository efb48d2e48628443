from magnetar_broker.subscription_type import SubscriptionType
from magnetar_proto import pulsar_api_pb2 as api


def test_values_and_labels_are_those_of_the_protocol() -> None:
    assert {kind.label: kind.value for kind in SubscriptionType} == dict(
        api.CommandSubscribe.SubType.items()
    )
