"""What a broker tells Prometheus, under Pulsar's names."""
