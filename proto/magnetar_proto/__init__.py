"""The wire: contracts, generated messages, frame codecs and the bookie interface; bytes in, objects out."""
