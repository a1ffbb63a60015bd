"""
TLS beside HAProxy's.
"""
