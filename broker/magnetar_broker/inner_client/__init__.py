"""A client of the binary protocol inside the broker, on which its HTTP sides produce and consume.

Topics of this broker are reached through a pipe in memory, those of others through a socket.
"""
