"""The broker: connections, topics, subscriptions, dispatchers, HTTP."""
