"""Pulsar's WebSocket API: a producer, a consumer or a reader for each socket."""
