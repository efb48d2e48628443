"""Repair of ledgers that lack replicas: the auditor that finds them, the workers that copy."""
