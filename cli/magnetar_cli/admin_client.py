"""Asks a broker's admin API: the standard library's HTTP, redirects, errors for people."""

import http.client
import json
from typing import Any, Final
from urllib.parse import urlsplit

from magnetar_cli.exits import CommandFailedError, WrongSettingsError

_MOST_REDIRECTS: Final = 5
_TIMEOUT_S: Final = 60.0


class AdminClient:
    """Calls to one broker, which sends on to others what they serve."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise WrongSettingsError(f"'{url}' is no admin URL; expected http://host:8080")
        self._url = url.rstrip("/")

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """What a call answers.

        Args:
            path: behind `/admin/v2`, encoded, with its query.

        Raises:
            CommandFailedError: nobody answers, or the answer is a refusal.
        """
        url = f"{self._url}/admin/v2{path}"
        for _ in range(_MOST_REDIRECTS):
            status, location, text = self._request(method, url, body)
            if status not in (301, 302, 307, 308) or not location:
                return _answer(status, text)
            url = location
        raise CommandFailedError(f"{self._url} sends in circles; is a broker's address wrong?")

    def _request(self, method: str, url: str, body: Any) -> tuple[int, str | None, str]:
        parts = urlsplit(url)
        secure = parts.scheme == "https"
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        connection = kind(parts.hostname or "", parts.port, timeout=_TIMEOUT_S)
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        data = None if body is None else json.dumps(body).encode()
        headers = {} if body is None else {"Content-Type": "application/json"}
        try:
            connection.request(method, target, data, headers)
            response = connection.getresponse()
            text = response.read().decode("utf-8", "replace")
            return response.status, response.headers.get("Location"), text
        except (OSError, http.client.HTTPException) as error:
            where = f"{parts.scheme}://{parts.netloc}"
            raise CommandFailedError(
                f"no answer from {where} ({error}); is a broker running there? "
                "--admin-url or MAGNETAR_ADMIN_URL says where to ask"
            ) from error
        finally:
            connection.close()


def _answer(status: int, text: str) -> Any:
    try:
        value = json.loads(text) if text else None
    except ValueError:
        value = text
    if status < 400:
        return value
    reason = value.get("reason") if isinstance(value, dict) else value
    raise CommandFailedError(f"{reason or 'refused'} (HTTP {status})")
