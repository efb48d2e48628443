"""Measures Magnetar and Apache Pulsar standalone in the same run with the same clients."""
