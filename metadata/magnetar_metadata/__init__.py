"""What the cluster agrees on: a store interface, its implementations and the typed records."""
