from typing import Any

import pytest
from magnetar_broker.dispatch.dispatcher import Dispatcher
from magnetar_broker.dispatch.shared_dispatcher import SharedDispatcher
from magnetar_broker.dispatch.single_active_dispatcher import SingleActiveDispatcher
from magnetar_ledger.position import EARLIEST, Position

from tests.broker.consuming import TOPIC, MemoryLog, consumer, context, link_of, payload


def dispatchers() -> list[tuple[MemoryLog, Dispatcher]]:
    made: list[tuple[MemoryLog, Dispatcher]] = []
    at_once = context(failover_delay_ms=0)
    for failover in (None, False, True):
        log = MemoryLog()
        ledger: Any = log
        cursor = log.open_transient_cursor("s", EARLIEST)
        if failover is None:
            made.append((log, SharedDispatcher(TOPIC, ledger, cursor, context())))
            continue
        single = SingleActiveDispatcher(TOPIC, ledger, cursor, at_once, failover=failover)
        made.append((log, single))
    return made


@pytest.mark.parametrize("kind", [0, 1, 2])
def test_every_kind_keeps_the_contract(kind: int) -> None:
    log, dispatcher = dispatchers()[kind]
    one = consumer()
    dispatcher.dispatch()
    dispatcher.add(one)
    assert list(dispatcher.consumers) == [one]
    assert dispatcher.may_unsubscribe(one)
    log.add(payload(0))
    dispatcher.dispatch()
    assert link_of(one).entries() == []
    dispatcher.flow(one, 10)
    assert link_of(one).entries() == [(1, 0)]
    dispatcher.redeliver(one, None)
    assert link_of(one).entries() == [(1, 0)]
    log.cursors["s"].ack_individual(Position(1, 0))
    dispatcher.acked(one, Position(1, 0), 0)
    dispatcher.acks_done()
    dispatcher.redeliver(one, None)
    assert link_of(one).entries() == []
    dispatcher.remove(one)
    assert not dispatcher.consumers
    dispatcher.close()
    dispatcher.dispatch()
