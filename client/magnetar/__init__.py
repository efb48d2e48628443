"""The Python SDK of Magnetar (comes with a later version)."""
