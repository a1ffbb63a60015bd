"""
Tests for L{txlb.upgrade}.
"""
