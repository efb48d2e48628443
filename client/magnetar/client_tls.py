"""TLS as a client is told to use it."""

import ssl
from dataclasses import dataclass

from magnetar.errors import InvalidConfiguration


@dataclass(frozen=True, slots=True, eq=False)
class TlsOptions:
    """What brokers must show, and what this client shows. Paths are of PEM files.

    Attributes:
        trusted: by whose certificates the broker's must be issued; the machine's if None.
        certificate, key: of the client, if it has one.
        allow_insecure: take any certificate.
        validate_hostname: the certificate must name the host.
    """

    trusted: str | None = None
    certificate: str | None = None
    key: str | None = None
    allow_insecure: bool = False
    validate_hostname: bool = True

    def context(self) -> ssl.SSLContext:
        """A context for one connection; files are read anew, so that they may be replaced.

        Raises:
            InvalidConfiguration: a file cannot be used.
        """
        try:
            context = ssl.create_default_context(cafile=self.trusted)
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            context.check_hostname = self.validate_hostname and not self.allow_insecure
            if self.allow_insecure:
                context.verify_mode = ssl.CERT_NONE
            if self.certificate:
                context.load_cert_chain(self.certificate, self.key)
        except OSError as error:
            names = ", ".join(filter(None, (self.trusted, self.certificate, self.key)))
            raise InvalidConfiguration(f"TLS files {names}: {error}") from error
        return context
