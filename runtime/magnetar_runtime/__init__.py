"""What is not deterministic comes in here: clock, randomness, disk, network, task scopes."""
