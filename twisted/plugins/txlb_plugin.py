"""
Makes C{twistd txlb} known to twistd.
"""

from twisted.application.service import ServiceMaker

balancer = ServiceMaker(
    "txlb",
    "txlb.tap",
    "Balances TCP connections over hosts.",
    "txlb",
)
