"""BookKeeper's wire protocol, versions 2 and 3: bytes in, requests and responses out, and back.

`requests` and `responses` are what travels, whatever the version. `stream` cuts frames out of what
a socket gives and decodes them; `encode_request` and `encode_response` there make whole frames.
"""
