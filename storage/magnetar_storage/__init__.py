"""The bookie: journal, write cache, entry log, location index."""
