"""
Tests for L{txlb.cli}.
"""
