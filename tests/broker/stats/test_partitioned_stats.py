"""Stats of partitions taken together."""

from magnetar_broker.stats.partitioned_stats import together


def test_none() -> None:
    assert together([]) == {}


def test_each_kind_of_figure() -> None:
    one = {
        "msgRateIn": 1.0,
        "msgThroughputIn": 10.0,
        "averageMsgSize": 10.0,
        "msgInCounter": 3,
        "backlogQuotaLimitSize": -1,
        "ownerBroker": "a:1",
        "lastOffloadSuccessTimeStamp": 5,
        "oldestBacklogMessageAgeSeconds": -1,
        "publishers": [{"producerName": "p"}],
        "subscriptions": {"s": {"msgBacklog": 1, "blocked": False, "lastAckedTimestamp": 7}},
    }
    other = {
        **one,
        "msgThroughputIn": 30.0,
        "lastOffloadSuccessTimeStamp": 4,
        "publishers": [{"producerName": "q"}],
        "subscriptions": {
            "s": {"msgBacklog": 2, "blocked": True, "lastAckedTimestamp": 8},
            "t": {},
        },
    }
    assert together([one, other]) == {
        "msgRateIn": 2.0,
        "msgThroughputIn": 40.0,
        "averageMsgSize": 20.0,
        "msgInCounter": 6,
        "backlogQuotaLimitSize": -1,
        "ownerBroker": "a:1",
        "lastOffloadSuccessTimeStamp": 5,
        "oldestBacklogMessageAgeSeconds": -1,
        "publishers": [{"producerName": "p"}, {"producerName": "q"}],
        "subscriptions": {
            "s": {"msgBacklog": 3, "blocked": True, "lastAckedTimestamp": 8},
            "t": {},
        },
    }
    assert one["subscriptions"]["s"]["msgBacklog"] == 1  # type: ignore[index]
