"""
The one place where the configuration of a balancer is changed.

Every change is checked in full before anything is done, so that it happens as a
whole or not at all, and observers are told of it afterwards.
"""

from txlb.manager._applying import Applying
from txlb.manager._manager import ProxyManager, proxyManagerFactory
from txlb.manager._wanted import wantedServices

__all__ = ["Applying", "ProxyManager", "proxyManagerFactory", "wantedServices"]
