"""Which of the brokers of a cluster serves a topic: bundles taken, looked up, handed over."""
