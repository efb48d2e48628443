"""How policies are answered."""

from magnetar_broker.http.policy_answers import answer
from magnetar_broker.policies.table import NO_CONTENT


def test_an_unset_policy_is_an_empty_body_or_no_content() -> None:
    assert (answer(None).status, answer(None).body) == (200, None)
    assert answer(NO_CONTENT).status == 204
    assert answer(0).text == "0"
