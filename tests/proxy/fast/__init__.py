"""
Tests of the fast relay.
"""
