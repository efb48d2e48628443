import ssl
from pathlib import Path

import pytest
from magnetar.client_tls import TlsOptions
from magnetar.errors import InvalidConfiguration


def test_what_is_asked_of_the_broker() -> None:
    safe = TlsOptions().context()
    assert (safe.verify_mode, safe.check_hostname) == (ssl.CERT_REQUIRED, True)
    lax = TlsOptions(validate_hostname=False).context()
    assert (lax.verify_mode, lax.check_hostname) == (ssl.CERT_REQUIRED, False)
    careless = TlsOptions(validate_hostname=True, allow_insecure=True).context()
    assert (careless.verify_mode, careless.check_hostname) == (ssl.CERT_NONE, False)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    missing = str(tmp_path / "none.pem")
    for options in (TlsOptions(trusted=missing), TlsOptions(certificate=missing)):
        with pytest.raises(InvalidConfiguration, match=r"none\.pem"):
            options.context()
