"""Figures about topics: rates that are measured now and then, and what is told of each topic."""
