"""The generator script: what counts as stale, and what is done to a stub. It is not run here."""

from pathlib import Path

from tools.generate_protos import committed, finished, stale


def test_what_differs_is_missing_or_left_over_is_stale() -> None:
    made = {"same": b"1", "changed": b"2", "new": b"3"}
    kept = {"same": b"1", "changed": b"1", "old": b"4"}
    assert stale(made, kept) == ["changed", "new", "old"]
    assert stale(kept, kept) == []


def test_stubs_get_their_type_arguments_and_modules_nothing(tmp_path: Path) -> None:
    text = b"x: _Union[A, _Mapping]\n"
    for name, expected in (("a.pyi", b"x: _Union[A, _Mapping[str, object]]\n"), ("a.py", text)):
        path = tmp_path / name
        path.write_bytes(text)
        assert finished(path) == expected


def test_every_contract_has_its_module_and_its_stub() -> None:
    contracts = {"pulsar_api", "managed_ledger", "bookkeeper_metadata", "bookkeeper_wire"}
    names = {f"{name}_pb2{suffix}" for name in contracts for suffix in (".py", ".pyi")}
    assert set(committed()) == names
