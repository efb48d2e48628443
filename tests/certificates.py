"""Certificates for tests, made by the command `openssl`."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

from magnetar_runtime.tls import TlsFiles

_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]


@dataclass(frozen=True)
class Authority:
    """Issues certificates below a directory."""

    directory: Path
    name: str

    @classmethod
    def make(cls, directory: Path, name: str = "authority") -> "Authority":
        authority = cls(directory, name)
        _openssl(
            "req", "-x509", *_KEY, "-nodes", "-days", "30", "-subj", f"/CN={name}",
            "-keyout", authority._path("key"), "-out", authority._path("pem"),
        )  # fmt: skip
        return authority

    @property
    def certificate(self) -> str:
        return self._path("pem")

    def issue(self, name: str, unit: str = "", password: str = "") -> TlsFiles:
        """A certificate for this machine, with an organizational unit, and its key."""
        base = self.directory / name
        subject = f"/O=test/CN={name}" + (f"/OU={unit}" if unit else "")
        locked = ["-passout", f"pass:{password}"] if password else ["-nodes"]
        _openssl(
            "req", *_KEY, *locked, "-subj", subject, "-keyout", f"{base}.key", "-out", f"{base}.csr"
        )
        extensions = self.directory / f"{name}.ext"
        extensions.write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
        _openssl(
            "x509", "-req", "-in", f"{base}.csr", "-CA", self.certificate,
            "-CAkey", self._path("key"), "-CAcreateserial", "-days", "30",
            "-extfile", str(extensions), "-out", f"{base}.pem",
        )  # fmt: skip
        if password:
            Path(f"{base}.password").write_text(f"{password}\n")
        file = f"{base}.password" if password else ""
        return TlsFiles(f"{base}.pem", f"{base}.key", file, self.certificate)

    def _path(self, suffix: str) -> str:
        return str(self.directory / f"{self.name}.{suffix}")


def _openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)
