"""
Tests for L{txlb.connecting}.
"""
