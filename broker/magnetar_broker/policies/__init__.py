"""Policies of namespaces and topics: what may be set, what holds, and how it takes effect."""
