"""The keys of `bookkeeper.conf` that say who may connect, and how."""

from dataclasses import dataclass
from typing import Final

from magnetar_runtime.conf import setting
from magnetar_runtime.errors import ConfError
from magnetar_runtime.tls import TlsFiles

TLS_FACTORY: Final = "org.apache.bookkeeper.tls.TLSContextFactory"
ROLES_FACTORY: Final = "org.apache.bookkeeper.tls.BookieAuthZFactory"
_PEM: Final = "PEM"


@dataclass(frozen=True, kw_only=True)
class BookieTlsSettings:
    """TLS of a bookie, and the roles that its clients must have. Files are PEM files."""

    auth_provider: str = setting(
        "bookieAuthProviderFactoryClass",
        "",
        f"{ROLES_FACTORY}: clients need a certificate with a role; SASL is not built.",
    )
    authorized_roles: str = setting(
        "authorizedRoles", "", "Comma separated; one must stand in the certificate of a client."
    )
    tls_provider: str = setting("tlsProvider", "OpenSSL", "Always OpenSSL here.")
    tls_provider_factory: str = setting(
        "tlsProviderFactoryClass", "", f"{TLS_FACTORY}: clients may begin TLS."
    )
    tls_client_authentication: bool = setting(
        "tlsClientAuthentication", False, "Who begins TLS must show a certificate."
    )
    tls_key_store_type: str = setting("tlsKeyStoreType", "JKS", "Only PEM here.")
    tls_key_store: str = setting("tlsKeyStore", "", "The key of the certificate.")
    tls_key_store_password: str = setting(
        "tlsKeyStorePasswordPath", "", "A file with the password of the key."
    )
    tls_certificate: str = setting("tlsCertificatePath", "", "The certificate.")
    tls_trust_store_type: str = setting("tlsTrustStoreType", "JKS", "Only PEM here.")
    tls_trust_store: str = setting(
        "tlsTrustStore", "", "Who must have issued the certificates of clients."
    )
    tls_enabled_protocols: str = setting(
        "tlsEnabledProtocols", "", "Comma separated; empty: TLSv1.2 and TLSv1.3."
    )
    tls_refresh_s: int = setting(
        "tlsCertFilesRefreshDurationSeconds",
        0,
        "Read the certificate again so often; 0: never.",
    )

    # What a bookie shows to others when it reads from them: its scrubber and auto-recovery.
    client_key_store_type: str = setting("clientKeyStoreType", "JKS", "Only PEM here.")
    client_key_store: str = setting("clientKeyStore", "", "Empty: tlsKeyStore here.")
    client_key_store_password: str = setting(
        "clientKeyStorePasswordPath", "", "A file with the password of that key."
    )
    client_trust_store_type: str = setting("clientTrustStoreType", "JKS", "Only PEM here.")
    client_trust_store: str = setting(
        "clientTrustStore",
        "",
        "Who must have issued the certificates of bookies; empty: tlsTrustStore here.",
    )
    tls_hostname_verification: bool = setting(
        "tlsHostnameVerificationEnabled", False, "Certificates of bookies must name their host."
    )

    @property
    def tls_enabled(self) -> bool:
        """Whether clients may begin TLS."""
        return bool(self.tls_provider_factory)

    @property
    def tls_files(self) -> TlsFiles:
        """Where the files are."""
        return TlsFiles(
            self.tls_certificate,
            self.tls_key_store,
            self.tls_key_store_password,
            self.tls_trust_store,
        )

    @property
    def client_tls_files(self) -> TlsFiles | None:
        """What is shown to other bookies and asked of them; None if they are read in clear."""
        trusted = self.client_trust_store or self.tls_trust_store
        if not self.tls_enabled or not trusted:
            return None
        if self.client_key_store:
            key, password = self.client_key_store, self.client_key_store_password
        else:
            key, password = self.tls_key_store, self.tls_key_store_password
        return TlsFiles(self.tls_certificate, key, password, trusted)

    @property
    def roles(self) -> frozenset[str]:
        """Of which a client must have one; empty if everybody may come."""
        if not self.auth_provider:
            return frozenset()
        return frozenset(filter(None, (role.strip() for role in self.authorized_roles.split(","))))

    def check_tls(self) -> None:
        """Raises ConfError if the keys do not fit together."""
        if self.tls_provider_factory not in ("", TLS_FACTORY):
            raise ConfError("tlsProviderFactoryClass", f"only {TLS_FACTORY} is known here")
        if self.auth_provider not in ("", ROLES_FACTORY):
            raise ConfError("bookieAuthProviderFactoryClass", f"only {ROLES_FACTORY} is known here")
        if self.tls_enabled:
            _check_pem("tlsKeyStoreType", self.tls_key_store_type, self.tls_key_store)
            if not self.tls_certificate:
                raise ConfError("tlsCertificatePath", "TLS needs a certificate")
            if self.tls_client_authentication:
                _check_pem("tlsTrustStoreType", self.tls_trust_store_type, self.tls_trust_store)
        self._check_client_stores()
        if self.auth_provider and not (self.tls_enabled and self.tls_client_authentication):
            raise ConfError(
                "bookieAuthProviderFactoryClass",
                "roles stand in certificates: it needs tlsProviderFactoryClass and"
                " tlsClientAuthentication=true, or nobody could come in",
            )
        if self.auth_provider and not self.roles:
            raise ConfError("authorizedRoles", "names no role, so nobody could come in")

    def check_client_tls(self) -> None:
        """Raises ConfError if bookies cannot be spoken to like this, by who is none himself."""
        if self.tls_provider_factory not in ("", TLS_FACTORY):
            raise ConfError("tlsProviderFactoryClass", f"only {TLS_FACTORY} is known here")
        if not self.tls_enabled:
            return
        self._check_client_stores()
        if self.tls_trust_store and not self.client_trust_store:
            _check_pem("tlsTrustStoreType", self.tls_trust_store_type, self.tls_trust_store)
        if self.tls_key_store and not self.client_key_store:
            _check_pem("tlsKeyStoreType", self.tls_key_store_type, self.tls_key_store)

    def _check_client_stores(self) -> None:
        if self.client_key_store:
            _check_pem("clientKeyStoreType", self.client_key_store_type, self.client_key_store)
        if self.client_trust_store:
            _check_pem(
                "clientTrustStoreType", self.client_trust_store_type, self.client_trust_store
            )


def _check_pem(type_key: str, kind: str, path: str) -> None:
    """A key store's type and path, whose key is that of the type without its last word."""
    if kind != _PEM:
        convert = "`openssl pkcs12 -nodes` makes one of PKCS12"
        raise ConfError(type_key, f"{kind} is not read here, only {_PEM}; {convert}")
    if not path:
        raise ConfError(type_key.removesuffix("Type"), "TLS needs this file")
