"""The leader's rounds: what is asked of whom, and what happens when that fails."""

import asyncio
from dataclasses import replace

import pytest
from magnetar_broker.errors import NotAllowedError, ServiceNotReadyError
from magnetar_broker.ownership.balance_options import BalanceOptions, ShedOptions, SplitOptions
from magnetar_broker.ownership.balancer import Balancer
from magnetar_metadata.errors import UnknownOutcomeError
from magnetar_metadata.load_report import BundleLoad, LoadReport
from magnetar_metadata.namespace_bundles import Bundle

from tests.broker.ownership.conftest import OPTIONS, Cluster, Member
from tests.broker.ownership.reports import MIB, report_of

NAMES = [f"public/default/0x{n:x}0000000_0x{n + 4:x}0000000" for n in (0, 4, 8)]


class Calls:
    """Done by the members themselves, or failing."""

    def __init__(self, *members: Member) -> None:
        self.unloaded: list[str] = []
        self.split: list[tuple[str, bool]] = []
        self.error: Exception | None = None
        self._members = members

    async def unload_bundle(self, bundle: Bundle) -> None:
        self.unloaded.append(str(bundle))
        if self.error is not None:
            raise self.error
        for member in self._members:
            await member.ownership.unload(bundle)

    async def split_bundle(self, bundle: Bundle, *, unload: bool) -> None:
        self.split.append((str(bundle), unload))
        if self.error is not None:
            raise self.error


class Reports:
    """A directory whose reports the test says."""

    def __init__(self, member: Member, reports: dict[str, LoadReport]) -> None:
        self._directory = member.cluster.directory
        self.given = reports
        self.error: Exception | None = None

    async def reports(self) -> dict[str, LoadReport]:
        if self.error is not None:
            raise self.error
        return self.given

    def prefer(self, bundle: str, broker: str) -> None:
        self._directory.prefer(bundle, broker)


def balancer(
    member: Member, reports: Reports, calls: Calls | None, options: BalanceOptions | None = None
) -> Balancer:
    maps, clock = member.service.bundle_maps, member.clock
    return Balancer(
        reports,  # type: ignore[arg-type]
        maps,
        lambda: calls,
        options or BalanceOptions(),
        clock,
    )


def busy(one: float = 0.8) -> dict[str, LoadReport]:
    loads = dict.fromkeys(NAMES, 40 * MIB)
    return {"one:2": report_of(one, loads), "two:2": report_of(0.1, {})}


async def test_a_bundle_goes_to_the_broker_that_was_chosen(one: Member, two: Member) -> None:
    for name in NAMES:
        await one.ownership.look_up_bundle(Bundle.parse(name), authoritative=True)
    calls = Calls(one)
    await balancer(one, Reports(one, busy()), calls).shed()
    (moved,) = calls.unloaded
    # Who asks for it now is sent to the one with less to do, whatever the counts say.
    where = await one.ownership.look_up_bundle(Bundle.parse(moved), authoritative=False)
    assert (where.here, where.authoritative) == (False, True)
    assert where.urls == two.service.config.addresses.urls


async def test_what_is_refused_is_tried_in_the_next_round(one: Member) -> None:
    calls = Calls()
    calls.error = ServiceNotReadyError("not now")
    made = balancer(one, Reports(one, busy()), calls)
    await made.shed()
    await made.shed()
    assert len(calls.unloaded) == 2
    assert len(set(calls.unloaded)) == 1


async def test_without_reports_nothing_is_done(one: Member) -> None:
    calls, reports = Calls(), Reports(one, busy())
    reports.error = UnknownOutcomeError("/loadbalance", "away")
    made = balancer(one, reports, calls)
    await made.shed()
    await made.split()
    assert (calls.unloaded, calls.split) == ([], [])


async def test_turned_off(one: Member) -> None:
    calls = Calls()
    off = BalanceOptions(shed=ShedOptions(enabled=False), split=SplitOptions(enabled=False))
    reports = busy()
    reports["two:2"] = replace(reports["two:2"], bundles={NAMES[0]: BundleLoad(topics=2_000)})
    made = balancer(one, Reports(one, reports), calls, off)
    await made.shed()
    await made.split()
    assert (calls.unloaded, calls.split) == ([], [])


async def test_large_bundles_are_split_if_they_are_there_yet(one: Member) -> None:
    await one.service.bundle_maps.of("public/default")
    gone = "public/default/0x00000000_0x10000000"
    large = BundleLoad(topics=2_000)
    reports = {"one:2": replace(report_of(0.1, {}), bundles={NAMES[1]: large, gone: large})}
    calls = Calls()
    await balancer(one, Reports(one, reports), calls).split()
    assert calls.split == [(NAMES[1], True)]


async def test_what_is_not_split_is_not_asked_for_all_the_time(one: Member) -> None:
    await one.service.bundle_maps.of("public/default")
    large = BundleLoad(topics=2_000)
    reports = {"one:2": replace(report_of(0.1, {}), bundles={NAMES[1]: large})}
    calls = Calls()
    calls.error = NotAllowedError("it cannot be split")
    made = balancer(one, Reports(one, reports), calls)
    for _ in range(3):
        await made.split()
    assert calls.split == [(NAMES[1], True)]
    one.clock.now_ns += 10_000_000_000
    await made.split()
    assert len(calls.split) == 2


async def test_the_leader_does_it_and_nobody_else(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    often = BalanceOptions(shed=ShedOptions(interval_ms=1))
    options = replace(OPTIONS, report_interval_ms=1, balance=often)
    monkeypatch.setattr("tests.broker.ownership.conftest.OPTIONS", options)
    rounds: list[str] = []
    for name in ("leader", "other"):
        made = (await cluster.add(name)).cluster._balancer

        async def step(name: str = name) -> None:
            rounds.append(name)

        made.shed = made.split = step  # type: ignore[method-assign]
    async with asyncio.timeout(5):
        while len(rounds) < 10:
            await asyncio.sleep(0)
    assert set(rounds) == {"leader"}
