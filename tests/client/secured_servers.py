"""Brokers with TLS for the tests of the SDK: Apache Pulsar with tokens, Magnetar behind a proxy."""

import base64
import hashlib
import hmac
import http.client
import json
from pathlib import Path

from magnetar_runtime.tls import TlsFiles

from bench.servers import HOST, ApachePulsar, Magnetar, free_port

SECRET = b"a secret of thirty-two bytes, or more"


def token_of(role: str, secret: bytes = SECRET) -> str:
    """A JWT (HS256) of a role."""
    parts = [_coded(json.dumps(part).encode()) for part in ({"alg": "HS256"}, {"sub": role})]
    signature = hmac.new(secret, ".".join(parts).encode(), hashlib.sha256).digest()
    return ".".join([*parts, _coded(signature)])


def _coded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class MagnetarBehindTls(Magnetar):
    """Advertises ports with TLS, where a proxy is to listen."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.tls_port, self.web_tls_port = free_port(), free_port()
        self.settings["advertisedListeners"] = (
            f"all:pulsar://{HOST}:{self.port},all:pulsar+ssl://localhost:{self.tls_port}"
        )


class ApacheWithTls(ApachePulsar):
    """Speaks TLS, and asks for a token of the role `admin` or a certificate of that name."""

    def __init__(self, directory: Path, files: TlsFiles) -> None:
        super().__init__(directory)
        self.tls_port, self.web_tls_port = free_port(), free_port()
        providers = "org.apache.pulsar.broker.authentication.AuthenticationProvider"
        self.settings |= {
            "brokerServicePortTls": str(self.tls_port),
            "webServicePortTls": str(self.web_tls_port),
            "tlsCertificateFilePath": files.certificate,
            "tlsKeyFilePath": files.key,
            "tlsTrustCertsFilePath": files.trusted,
            "authenticationEnabled": "true",
            "authorizationEnabled": "true",
            "authenticationProviders": f"{providers}Token,{providers}Tls",
            "tokenSecretKey": "data:;base64," + base64.b64encode(SECRET).decode(),
            "superUserRoles": "admin",
            "brokerClientAuthenticationPlugin": (
                "org.apache.pulsar.client.impl.auth.AuthenticationToken"
            ),
            "brokerClientAuthenticationParameters": f"token:{token_of('admin')}",
        }

    def _has_default_namespace(self) -> bool:
        ready, _ = self._get("/admin/v2/brokers/ready")
        if ready != 200:
            return False
        status, body = self._get("/admin/v2/namespaces/public")
        return status == 200 and "public/default" in json.loads(body)

    def _get(self, path: str) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(HOST, self.web_port, timeout=5)
        try:
            headers = {"Authorization": f"Bearer {token_of('admin')}"}
            connection.request("GET", path, headers=headers)
            response = connection.getresponse()
            return response.status, response.read()
        except (OSError, http.client.HTTPException):
            return 0, b""
        finally:
            connection.close()
