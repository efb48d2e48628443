"""Who gets which entry: pure cores that decide, and dispatchers that read and send."""
