"""
Tests for L{txlb.admin.control}.
"""
