"""The bookie as a service: BookKeeper's wire protocol in front of a `Bookie`."""
