"""What is not built is not in the table of what is."""

from magnetar_broker.policies.table import POLICIES
from magnetar_broker.policies.unbuilt import APPLIED, OF_NAMESPACES, OF_TOPICS


def test_nothing_is_both() -> None:
    built = {policy.path for policy in POLICIES}
    assert not built & {each.path for each in OF_NAMESPACES}
    names = {policy.name for policy in POLICIES if policy.topic_check is not None}
    assert not names & {each.path for each in OF_TOPICS}
    assert set(APPLIED) <= {each.path for each in OF_TOPICS}
