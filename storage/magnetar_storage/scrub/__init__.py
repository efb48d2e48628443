"""Scrubbing: every record is read now and then, and what is bad or missing comes from a replica."""
