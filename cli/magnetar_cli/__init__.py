"""The magnetar command, the only place that puts services together."""
