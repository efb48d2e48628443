"""Commands against bookies that let in by certificates alone."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from magnetar_cli.bookie_client import network_config
from magnetar_cli.exits import WrongSettingsError
from magnetar_ledger.network import BookieNetworkConfig
from magnetar_runtime.settings_tls import ROLES_FACTORY, TLS_FACTORY
from magnetar_runtime.tls import TlsFiles, client_context

from tests.certificates import Authority
from tests.cli.bookie_threads import BookieThreads


@dataclass
class Secured:
    bookies: BookieThreads
    config: Path
    """A bookkeeper.conf as the bookies have it, with other keys too."""
    writer: TlsFiles

    def run(self, *arguments: str) -> tuple[int, str]:
        return self.bookies.run(*arguments, "--config", str(self.config))


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    directory = tmp_path_factory.mktemp("secured")
    authority = Authority.make(directory)
    server, writer = authority.issue("server", "0:writer"), authority.issue("writer", "0:writer")
    network = BookieNetworkConfig(tls=client_context(writer))
    config = directory / "bookkeeper.conf"
    config.write_text(
        f"bookiePort=3181\nunheardOf=1\ntlsProviderFactoryClass={TLS_FACTORY}\n"
        f"tlsClientAuthentication=true\nbookieAuthProviderFactoryClass={ROLES_FACTORY}\n"
        f"authorizedRoles=writer\ntlsKeyStoreType=PEM\ntlsKeyStore={server.key}\n"
        f"tlsCertificatePath={server.certificate}\n"
        f"tlsTrustStoreType=PEM\ntlsTrustStore={server.trusted}\n"
    )
    with pytest.MonkeyPatch.context() as patch:
        bookies = BookieThreads(
            directory,
            patch,
            network=network,
            tls_provider_factory=TLS_FACTORY,
            tls_client_authentication=True,
            auth_provider=ROLES_FACTORY,
            authorized_roles="writer",
            tls_key_store_type="PEM",
            tls_key_store=server.key,
            tls_certificate=server.certificate,
            tls_trust_store_type="PEM",
            tls_trust_store=server.trusted,
        )
        bookies.start()
        yield Secured(bookies, config, writer)
        bookies.stop()


def test_ledgers_of_secured_bookies(secured: Secured) -> None:
    ledger_id = str(secured.bookies.written(5, close=False))
    code, output = secured.run("ledger", "recover", ledger_id)
    assert (code, "at entry 4" in output) == (0, True), output
    code, output = secured.run("ledger", "read", ledger_id, "-o", "json")
    assert code == 0, output
    assert [json.loads(line)["payload"] for line in output.splitlines()] == list("01234")
    code, output = secured.run("ledger", "verify", ledger_id)
    assert (code, "15 copies" in output) == (0, True), output


def test_without_keys_they_let_nobody_in(secured: Secured) -> None:
    ledger_id = str(secured.bookies.written(5))
    code, output = secured.bookies.run("ledger", "verify", ledger_id)
    assert (code, "15 of 15" in output) == (1, True), output


def test_bookies_are_tried_and_asked_for_their_room(secured: Secured) -> None:
    code, output = secured.run("bookie", "sanity")
    assert (code, output.count(" ok ")) == (0, 3), output
    code, output = secured.run("bookie", "list", "-o", "json")
    assert code == 0
    assert all(row["free"] for row in json.loads(output)), output
    code, output = secured.bookies.run("bookie", "list", "-o", "json")
    assert all(row["free"] is None for row in json.loads(output)), output


def test_a_client_needs_no_file_of_a_bookie(secured: Secured) -> None:
    files = secured.writer
    keys = {
        "tlsProviderFactoryClass": TLS_FACTORY,
        "tlsCertificatePath": files.certificate,
        "clientKeyStoreType": "PEM",
        "clientKeyStore": files.key,
        "clientTrustStoreType": "PEM",
        "clientTrustStore": files.trusted,
    }
    options = [text for key, value in keys.items() for text in ("--set", f"{key}={value}")]
    ledger_id = str(secured.bookies.written(2))
    code, output = secured.bookies.run("ledger", "read", ledger_id, *options)
    assert (code, output.count("entry")) == (0, 2), output


def test_what_is_no_key_of_a_bookie_is_told_where_it_was_given(
    secured: Secured, caplog: pytest.LogCaptureFixture
) -> None:
    assert network_config(secured.config, ["bookiePort=1"]).tls is not None
    assert not caplog.records
    assert network_config(None, ["tlsTrustStor=x"]).tls is None
    assert "tlsTrustStor" in caplog.text


@pytest.mark.parametrize(
    "keys",
    [
        ["tlsProviderFactoryClass=Other"],
        [f"tlsProviderFactoryClass={TLS_FACTORY}", "tlsTrustStore=x.jks"],
        [f"tlsProviderFactoryClass={TLS_FACTORY}", "tlsTrustStoreType=PEM", "tlsTrustStore=/no"],
        [f"tlsProviderFactoryClass={TLS_FACTORY}", "tlsKeyStore=x.jks"],
        ["no equals sign"],
    ],
)
def test_keys_that_cannot_be_are_refused(keys: list[str]) -> None:
    with pytest.raises(WrongSettingsError):
        network_config(None, keys)
