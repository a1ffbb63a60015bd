"""
txlb: a load balancer that lives inside Twisted.
"""

from txlb._version import __version__

__all__ = ["__version__"]
