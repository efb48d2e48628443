"""What the cluster agrees on: the metadata store interface, its implementations and the typed records."""
