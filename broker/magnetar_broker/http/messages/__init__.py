"""Messages by plain HTTP: Pulsar's REST produce, and consuming as Pulsar never shipped it."""
