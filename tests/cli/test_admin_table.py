"""The table of commands: each can be asked for, and its call is one of the broker's."""

import re

import pytest
from magnetar_broker.http.api import route_table
from magnetar_broker.http.route_table import bare, variables
from magnetar_cli.admin_table import GROUPS, Call

CALLS = [
    (f"{group} {name}", call)
    for group, (_, calls) in GROUPS.items()
    for name, call in calls.items()
]


def _pattern(path: str) -> re.Pattern[str]:
    expressions = iter(variables(path).values())
    return re.compile(re.sub(r"{}", lambda _: f"(?:{next(expressions) or '[^/]+'})", bare(path)))


SERVED = [(row.method, _pattern(row.path)) for row in route_table()]


@pytest.mark.parametrize(("name", "call"), CALLS)
def test_the_broker_has_this_call(name: str, call: Call) -> None:
    samples = {"topic": "persistent/t/n/x", "namespace": "t/n", "count": "5", "expire_time": "7"}
    path = re.sub(r"{(\w+)}", lambda found: samples.get(found[1], "z"), call.path)
    full = f"/admin/v2{path}".partition("?")[0]
    found = [1 for method, pattern in SERVED if method == call.method and pattern.fullmatch(full)]
    assert found, f"{name}: {call.method} {full}"


@pytest.mark.parametrize(("name", "call"), CALLS)
def test_every_part_of_the_path_is_given(name: str, call: Call) -> None:
    options = {option.flags[-1].lstrip("-").replace("-", "_").lower() for option in call.options}
    needed = set(re.findall(r"{(\w+)}", call.path))
    assert needed <= options | set(call.arguments), name
