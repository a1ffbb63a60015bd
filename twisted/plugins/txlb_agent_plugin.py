"""
Makes C{twistd txlb-agent} known to twistd.
"""

from twisted.application.service import ServiceMaker

agent = ServiceMaker(
    "txlb-agent",
    "txlb.resources.tap",
    "Tells load balancers what is left of this machine.",
    "txlb-agent",
)
