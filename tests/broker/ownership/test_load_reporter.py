"""What a broker tells of itself: its bundles with the topics that are loaded."""

from dataclasses import replace

from magnetar_broker.ownership.load_reporter import LoadReporter, tells_the_same
from magnetar_broker.topic_name import TopicName
from magnetar_metadata.load_report import BundleLoad, Usage
from magnetar_proto import pulsar_api_pb2 as api
from magnetar_runtime.host_usage import HostUsage

from tests.broker.client import sends
from tests.broker.ownership.conftest import Member


async def test_sums_by_bundle(one: Member) -> None:
    name = TopicName.parse("x")
    bundle = await one.bundle_of(str(name))
    await one.ownership.look_up(name, authoritative=True, listener="")
    reporter = LoadReporter(one.service, one.ownership)
    before = reporter.report()
    assert before.bundles == {str(bundle): BundleLoad()}
    assert before.addresses == one.service.config.addresses
    client = await one.client()
    await client.produce("x", 1)
    client.publish(*sends(1, 0, 1))
    one.ledger("x").confirm()
    one.clock.now_ns += 2_000_000_000
    await one.service.sampler.sample()
    load = reporter.report().bundles[str(bundle)]
    assert (load.topics, load.producers, load.consumers) == (1, 1, 0)
    assert load.rate_in == 1.0
    assert load.throughput_in > 0
    assert not tells_the_same(before, reporter.report())


async def test_consumers(one: Member) -> None:
    name = TopicName.parse("non-persistent://public/default/x")
    bundle = await one.bundle_of(str(name))
    await one.ownership.look_up(name, authoritative=True, listener="")
    client = await one.client()
    subscribe = api.CommandSubscribe(
        topic=str(name), subscription="s", subType=1, request_id=2, consumer_id=1
    )
    await client.ask(subscribe)
    load = LoadReporter(one.service, one.ownership).report().bundles[str(bundle)]
    assert (load.topics, load.consumers, load.rate_out) == (1, 1, 0.0)


async def test_what_the_machine_has_to_do(one: Member) -> None:
    usage = HostUsage(
        cpu_percent=30.0,
        cpu_limit_percent=200.0,
        memory_mib=5.0,
        memory_limit_mib=10.0,
        in_kbits=1.0,
        out_kbits=80.0,
        network_limit_kbits=100.0,
    )
    report = LoadReporter(one.service, one.ownership, lambda: usage).report()
    assert (report.cpu, report.memory) == (Usage(30.0, 200.0), Usage(5.0, 10.0))
    assert (report.bandwidth_in.usage, report.bandwidth_out.usage) == (1.0, 80.0)
    assert report.max_usage == 0.8
    assert tells_the_same(report, replace(report, bandwidth_out=Usage(75.0, 100.0)))
    assert not tells_the_same(report, replace(report, bandwidth_out=Usage(65.0, 100.0)))


async def test_the_time_alone_tells_nothing_new(one: Member) -> None:
    report = LoadReporter(one.service, one.ownership).report()
    assert tells_the_same(report, replace(report, updated_ms=report.updated_ms + 1))
