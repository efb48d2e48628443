"""Rates between two looks."""

from magnetar_broker.stats.meter import Meter

SECOND_NS = 10**9


def test_rates_are_those_since_the_last_look() -> None:
    meter = Meter(2, 0)
    assert (meter.rates, meter.changed_ms) == ((0.0, 0.0), [0, 0])
    meter.look((10, 0), 2 * SECOND_NS, 1000)
    assert (meter.rates, meter.changed_ms) == ((5.0, 0.0), [1000, 0])
    meter.look((10, 4), 4 * SECOND_NS, 3000)
    assert (meter.rates, meter.changed_ms) == ((0.0, 2.0), [1000, 3000])


def test_two_looks_at_one_time() -> None:
    meter = Meter(1, SECOND_NS)
    meter.look((5,), SECOND_NS, 1)
    assert meter.rates == (0.0,)
    meter.look((5,), 2 * SECOND_NS, 2)
    assert meter.rates == (5.0,)
