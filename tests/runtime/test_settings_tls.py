"""Keys of `bookkeeper.conf` that say who may connect."""

from typing import Any

import pytest
from magnetar_runtime.conf import load, read_conf
from magnetar_runtime.errors import ConfError
from magnetar_runtime.settings_bookie import BookieServiceSettings
from magnetar_runtime.settings_tls import ROLES_FACTORY, TLS_FACTORY
from magnetar_runtime.tls import TlsFiles

GOOD = {
    "tlsProviderFactoryClass": TLS_FACTORY,
    "tlsClientAuthentication": "true",
    "tlsKeyStoreType": "PEM",
    "tlsKeyStore": "/key.pem",
    "tlsCertificatePath": "/cert.pem",
    "tlsTrustStoreType": "PEM",
    "tlsTrustStore": "/ca.pem",
    "bookieAuthProviderFactoryClass": ROLES_FACTORY,
    "authorizedRoles": "writer, reader",
}


def load_with(**changes: Any) -> BookieServiceSettings:
    text = "\n".join(f"{key}={value}" for key, value in {**GOOD, **changes}.items())
    settings, unknown = load(BookieServiceSettings, read_conf(text))
    assert not unknown
    return settings


def test_keys_are_bookkeepers() -> None:
    settings = load_with(tlsKeyStorePasswordPath="/password")
    assert settings.tls_enabled
    assert settings.tls_files == TlsFiles("/cert.pem", "/key.pem", "/password", "/ca.pem")
    assert settings.roles == {"writer", "reader"}


def test_what_it_shows_to_other_bookies() -> None:
    both = load_with(
        clientKeyStoreType="PEM",
        clientKeyStore="/client",
        clientKeyStorePasswordPath="/client-password",
        clientTrustStoreType="PEM",
        clientTrustStore="/bookies",
    )
    assert both.client_tls_files == TlsFiles("/cert.pem", "/client", "/client-password", "/bookies")
    assert load_with().client_tls_files == TlsFiles("/cert.pem", "/key.pem", "", "/ca.pem")
    plain = load_with(tlsProviderFactoryClass="", bookieAuthProviderFactoryClass="")
    assert plain.client_tls_files is None
    alone = {"tlsClientAuthentication": "false", "bookieAuthProviderFactoryClass": ""}
    assert load_with(**alone, tlsTrustStore="").client_tls_files is None


def test_without_keys_everybody_may_come_in_clear() -> None:
    settings = BookieServiceSettings()
    assert not settings.tls_enabled
    assert settings.roles == frozenset()


def test_roles_without_a_provider_mean_nothing() -> None:
    assert load_with(bookieAuthProviderFactoryClass="").roles == frozenset()


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"tlsProviderFactoryClass": "x.Y"}, "tlsProviderFactoryClass"),
        ({"tlsProviderFactoryClass": ""}, "bookieAuthProviderFactoryClass"),
        ({"tlsClientAuthentication": "false"}, "bookieAuthProviderFactoryClass"),
        ({"bookieAuthProviderFactoryClass": "SASL"}, "bookieAuthProviderFactoryClass"),
        ({"authorizedRoles": " , "}, "authorizedRoles"),
        ({"tlsKeyStoreType": "JKS"}, "tlsKeyStoreType"),
        ({"tlsTrustStoreType": "PKCS12"}, "tlsTrustStoreType"),
        ({"tlsKeyStore": ""}, "tlsKeyStore"),
        ({"tlsTrustStore": ""}, "tlsTrustStore"),
        ({"tlsCertificatePath": ""}, "tlsCertificatePath"),
        ({"clientKeyStore": "/k"}, "clientKeyStoreType"),
        ({"clientTrustStore": "/k"}, "clientTrustStoreType"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(changes: dict[str, str], key: str) -> None:
    with pytest.raises(ConfError) as caught:
        load_with(**changes)
    assert caught.value.key == key
