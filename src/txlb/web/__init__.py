"""
An HTTP client that balances: C{Agent} of Twisted over a pool of hosts.
"""

from txlb.web._agent import BalancedAgent

__all__ = ["BalancedAgent"]
