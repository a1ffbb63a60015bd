"""
txlb: a load balancer inside Twisted.
"""

from txlb._version import __version__

__all__ = ["__version__"]
