"""The reference of the SDK has what is public, and the check sees a page that is not current."""

from pathlib import Path

import magnetar
import pytest

from tools import client_docs


def test_all_that_is_exported_is_on_the_page() -> None:
    page = client_docs.page()
    for name in [*magnetar.__all__, "JsonSchema", "ChaosProxy", "magnetar_broker"]:
        assert f"### `{name}" in page, name
    assert "await send(content, properties=None" in page
    assert "0x7" not in page  # no address of an object: it would change with each run


def test_a_page_that_is_not_current_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_docs, "PAGE", tmp_path / "client.md")
    assert client_docs.main(["--check"]) == 1
    assert client_docs.main([]) == 0
    assert client_docs.main(["--check"]) == 0
    client_docs.PAGE.write_text(client_docs.PAGE.read_text() + "x")
    assert client_docs.main(["--check"]) == 1
