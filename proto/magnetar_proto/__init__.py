"""The wire: contracts, generated messages, frame codecs, the bookie interface.

Bytes in, objects out.
"""
