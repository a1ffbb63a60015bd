"""
Tests for L{txlb.cloning}.
"""
