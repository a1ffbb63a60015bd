"""
The balancer as a Twisted service.
"""

from txlb.application._access import AccessLog
from txlb.application._events import EventLog
from txlb.application.service import LoadBalancedService, ProxyListener

__all__ = ["AccessLog", "EventLog", "LoadBalancedService", "ProxyListener"]
