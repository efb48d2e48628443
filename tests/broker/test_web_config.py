"""What the settings say of the HTTP sides."""

from magnetar_broker.web_config import WebConfig
from magnetar_runtime.settings import ServiceSettings


def test_settings_and_defaults_agree() -> None:
    assert WebConfig.of(ServiceSettings()) == WebConfig()
    settings = ServiceSettings(websocket_service=False, websocket_ping_seconds=5)
    found = WebConfig.of(settings)
    assert (found.websockets, found.ping_interval_s) == (False, 5)
