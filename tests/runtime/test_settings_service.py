"""What a broker of a cluster must be told."""

import pytest
from magnetar_runtime.conf import load
from magnetar_runtime.errors import ConfError
from magnetar_runtime.settings_service import BrokerServiceSettings
from magnetar_runtime.tls import TlsFiles

NEEDED = {"clusterName": "c", "metadataStoreUrl": "zk:host:2181"}


def test_pulsars_defaults() -> None:
    settings, unknown = load(BrokerServiceSettings, NEEDED)
    assert (settings.ensemble_size, settings.write_quorum, settings.ack_quorum) == (2, 2, 2)
    assert (settings.bind_address, settings.metadata_url) == ("0.0.0.0", "zk:host:2181")
    assert settings.listen_hosts == ("0.0.0.0",)
    assert not unknown


def test_the_older_key_of_zookeeper() -> None:
    settings, _ = load(BrokerServiceSettings, {"clusterName": "c", "zookeeperServers": "a:1,b:2/x"})
    assert settings.metadata_url == "zk:a:1,b:2/x"


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"clusterName": ""}, "clusterName"),
        ({"metadataStoreUrl": ""}, "metadataStoreUrl"),
        ({"managedLedgerDefaultAckQuorum": "3"}, "managedLedgerDefaultEnsembleSize"),
        ({"authenticationEnabled": "true"}, "authenticationEnabled"),
    ],
)
def test_what_is_refused(change: dict[str, str], key: str) -> None:
    with pytest.raises(ConfError, match=key):
        load(BrokerServiceSettings, {**NEEDED, **change})


TLS = {
    "bookkeeperTLSClientAuthentication": "true",
    "bookkeeperTLSKeyFilePath": "/key",
    "bookkeeperTLSCertificateFilePath": "/cert",
    "bookkeeperTLSTrustCertsFilePath": "/ca",
}


def test_tls_with_bookies_by_pulsars_keys() -> None:
    settings, unknown = load(BrokerServiceSettings, {**NEEDED, **TLS})
    assert settings.bookies_tls
    assert settings.bookies_tls_files == TlsFiles("/cert", "/key", "", "/ca")
    assert not unknown


@pytest.mark.parametrize(
    "change",
    [
        {"bookkeeperTLSKeyFileType": "JKS"},
        {"bookkeeperTLSTrustCertTypes": "PKCS12"},
        {"bookkeeperTLSKeyFilePath": ""},
        {"bookkeeperTLSCertificateFilePath": ""},
        {"bookkeeperTLSTrustCertsFilePath": ""},
    ],
)
def test_tls_that_cannot_be_is_refused_by_name(change: dict[str, str]) -> None:
    (key,) = change
    with pytest.raises(ConfError, match=key):
        load(BrokerServiceSettings, {**NEEDED, **TLS, **change})
