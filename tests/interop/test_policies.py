"""pulsar-admin sets, reads and unsets policies here as it does on Apache Pulsar, word for word."""

import json
import os
from pathlib import Path
from typing import Final

import pytest

from bench.servers import Server
from tests.interop.java_tools import Outcome, admin_batch

pytestmark = pytest.mark.interop

NAMESPACE: Final = "public/policies"
TOPIC: Final = f"persistent://{NAMESPACE}/t"

OF_NAMESPACES: Final = {
    "message-ttl": "-ttl 30",
    "retention": "-t 10m -s 50M",
    "persistence": "-e 1 -w 1 -a 1 -r 0.5",
    "deduplication": "-e",
    "auto-topic-creation": "-e -t partitioned -n 3",
    "auto-subscription-creation": "-e",
    "max-producers-per-topic": "-p 5",
    "max-consumers-per-topic": "-c 6",
    "max-consumers-per-subscription": "-c 7",
    "max-unacked-messages-per-consumer": "-c 8",
    "max-unacked-messages-per-subscription": "-c 9",
    "max-subscriptions-per-topic": "-m 10",
    "max-topics-per-namespace": "-t 11",
    "subscription-expiration-time": "-t 12",
    "subscription-types-enabled": "-t Exclusive,Shared",
    "delayed-delivery": "-e -t 1s",
    "publish-rate": "-m 10 -b 1000",
    "inactive-topic-policies": "-e -t 30s -m delete_when_subscriptions_caught_up",
}
OF_TOPICS: Final = {
    "message-ttl": "-t 40",
    "retention": "-t 20m -s 60M",
    "persistence": "-e 1 -w 1 -a 1 -r 0.2",
    "deduplication": "-e",
    "auto-subscription-creation": "-e",
    "max-producers": "-p 5",
    "max-consumers": "-c 6",
    "max-consumers-per-subscription": "-c 7",
    "max-unacked-messages-per-consumer": "-m 8",
    "max-unacked-messages-per-subscription": "-m 9",
    "max-subscriptions-per-topic": "-s 10",
    "max-message-size": "-m 1024",
    "delayed-delivery": "-e -t 2s",
    "publish-rate": "-m 10 -b 1000",
    "inactive-topic-policies": "-e -t 40s -m delete_when_no_subscriptions",
}
QUOTAS: Final = (
    "-l 1M -p producer_exception",
    "-lt 100 -t message_age -p consumer_backlog_eviction",
)


IN_SHORT: Final = {
    "namespaces": ("retention", "inactive-topic-policies"),
    "topicPolicies": ("message-ttl", "delayed-delivery"),
}
"""A command takes up to a second of a JVM: all of them are for the night (POLICIES_ALL=1)."""


def script(*, whole: bool) -> list[str]:
    """Policies of both levels: unset, set, read, and unset again.

    Apache reads a topic's policies a little after they were set: between lie other commands.
    """
    levels = [("namespaces", OF_NAMESPACES, NAMESPACE), ("topicPolicies", OF_TOPICS, TOPIC)]
    if not whole:
        levels = [
            (group, {name: policies[name] for name in IN_SHORT[group]}, target)
            for group, policies, target in levels
        ]
    gets = [
        f"{group} get-{policy} {target}"
        for group, policies, target in levels
        for policy in policies
    ]
    lines = [f"namespaces create -b 4 {NAMESPACE}", f"topics create {TOPIC}"]
    lines += gets if whole else gets[:1]
    for group, policies, target in levels:
        lines += [f"{group} set-{policy} {target} {value}" for policy, value in policies.items()]
        lines += [f"{group} set-backlog-quota {target} {quota}" for quota in QUOTAS]
    lines += [
        *gets,
        f"namespaces get-backlog-quotas {NAMESPACE}",
        f"topicPolicies get-backlog-quota {TOPIC}",
        f"namespaces policies {NAMESPACE}",
        f"namespaces set-backlog-quota {NAMESPACE} -l 51M -p producer_exception",
        f"namespaces set-retention {NAMESPACE} -t 0 -s 5M",
        f"namespaces get-retention {NAMESPACE}-none",
        f"topicPolicies get-retention {TOPIC}-none",
        f"topicPolicies get-max-producers {TOPIC} -ap",
    ]
    for group, policies, target in levels:
        lines += [f"{group} remove-{policy} {target}" for policy in policies]
        lines += [f"{group} remove-backlog-quota {target}"]
    return [*lines, *(gets if whole else gets[-1:]), f"namespaces policies {NAMESPACE}"]


def comparable(outcome: Outcome) -> tuple[str, int, object]:
    """The same for outputs that mean the same: how a namespace is split differs, and rows of
    tables have no order."""
    if "get-backlog-quota" in outcome.line:
        return outcome.line, outcome.exit_code, sorted(outcome.output.splitlines())
    if not outcome.line.startswith("namespaces policies") or outcome.exit_code:
        return outcome
    record = json.loads(outcome.output)
    del record["bundles"]
    return outcome.line, outcome.exit_code, (list(record), record)


def test_the_same_script_has_the_same_outputs(
    apache_standalone: Server, magnetar_standalone: Server, tmp_path: Path
) -> None:
    lines = script(whole="POLICIES_ALL" in os.environ)
    outputs = []
    for server in (apache_standalone, magnetar_standalone):
        directory = tmp_path / server.name
        directory.mkdir()
        outputs.append([comparable(each) for each in admin_batch(server, directory, lines)])
    apache, magnetar = outputs
    assert magnetar == apache
    assert sum(exit_code == 0 for _, exit_code, _ in apache) > 0.8 * len(apache)


def test_what_is_not_built_is_refused_with_a_reason(
    magnetar_standalone: Server, tmp_path: Path
) -> None:
    name = f"{NAMESPACE}-unbuilt"
    outcomes = admin_batch(
        magnetar_standalone,
        tmp_path,
        [
            f"namespaces create {name}",
            f"namespaces set-dispatch-rate {name} -md 10",
            f"namespaces set-compaction-threshold {name} -t 1M",
            f"namespaces set-clusters {name} -c standalone",
        ],
    )
    assert [each.exit_code for each in outcomes] == [0, 1, 1, 0]
