"""Addresses of metadata stores, and what they open."""

from pathlib import Path

import pytest
from magnetar_metadata.errors import StoreFileError, WrongUrlError
from magnetar_metadata.memory import MemoryStore
from magnetar_metadata.metadata_url import MetadataUrl, open_store, parse_metadata_url
from magnetar_runtime.errors import DirectoryLockedError

from tests.metadata.clocks import ManualClock


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("memory:", MetadataUrl("memory")),
        ("sqlite:data", MetadataUrl("sqlite", directory="data")),
        ("sqlite:/a/b", MetadataUrl("sqlite", directory="/a/b")),
        ("zk:h:2181", MetadataUrl("zk", hosts="h:2181")),
        ("zk:h:2181,i:2182", MetadataUrl("zk", hosts="h:2181,i:2182")),
        ("zk:h:2181/one/two/", MetadataUrl("zk", hosts="h:2181", root="/one/two")),
        ("zk:[::1]:2181/", MetadataUrl("zk", hosts="[::1]:2181")),
        ("zk+null://h:1;i:2/ledgers", MetadataUrl("zk", hosts="h:1,i:2")),
        ("zk+hierarchical://h:1/x/l", MetadataUrl("zk", hosts="h:1", ledgers_root="/x/l")),
        ("zk://h:1,i:2", MetadataUrl("zk", hosts="h:1,i:2")),
    ],
)
def test_an_address_is_read(text: str, url: MetadataUrl) -> None:
    assert parse_metadata_url(text) == url


@pytest.mark.parametrize(
    "text",
    [
        "",
        "zk",
        "zk:",
        "zk:/ledgers",
        "zk:h:port",
        "zk:h:1,",
        "zk:h:1//a",
        "zk:h:1/a/../b",
        "zk+null:h:1",
        "zk+flat://h:1/ledgers",
        "sqlite:",
        "memory:x",
        "etcd:h:1",
        "data/metadata",
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(WrongUrlError) as error:
        parse_metadata_url(text)
    assert error.value.path == text


async def test_memory_is_opened() -> None:
    async with open_store("memory:", ManualClock()) as store:
        assert isinstance(store, MemoryStore)
        await store.create("/a", b"")


async def test_a_standalones_directory_is_opened_and_locked(tmp_path: Path) -> None:
    url = f"sqlite:{tmp_path}/data"
    with pytest.raises(StoreFileError, match="no such file"):
        async with open_store(url, ManualClock()):
            pass
    assert not (tmp_path / "data").exists()
    async with open_store(url, ManualClock(), make_root=True) as store:
        await store.create("/a", b"1")
        with pytest.raises(DirectoryLockedError):
            async with open_store(url, ManualClock()):
                pass
    async with open_store(url, ManualClock()) as store:
        assert await store.children("/") == ["a"]
