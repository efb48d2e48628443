"""The pages of HTTP calls are current, and say of every call of Pulsar what becomes of it."""

from dataclasses import replace

from magnetar_broker.http.api import route_table

from tools.generate_http_reference import PULSAR, endpoints, pages


def test_current() -> None:
    for path, text in pages().items():
        message = f"{path.name} is stale: run tools/generate_http_reference.py"
        assert path.read_text() == text, message


def test_states() -> None:
    rows = [
        replace(row, differs="in a way") if row.summary == "All clusters" else row
        for row in route_table()
    ]
    page = endpoints(rows, PULSAR.read_text().splitlines())
    assert "| `GET /admin/v2/clusters` | differs: in a way |" in page
    assert "| `PUT /admin/v2/persistent/{tenant}/{namespace}/{topic}` | works |" in page
    assert "| all 14 below `/admin/v3/transactions` | absent: no transactions yet |" in page
