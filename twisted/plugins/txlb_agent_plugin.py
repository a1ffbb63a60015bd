"""
Makes C{twistd txlb-agent} known to twistd.
"""

from typing import Any

from twisted.application.service import ServiceMaker


class _AgentMaker(ServiceMaker):
    """
    The maker of an agent, which is asked for its options first of all.
    """

    @property
    def options(self) -> Any:
        """
        The class of the options. Importing it takes a while, in which signals may come.
        """
        from txlb._begin import begin  # noqa: PLC0415 - only if it is this command

        begin()
        return super().options


agent = _AgentMaker(
    "txlb-agent",
    "txlb.agenttap",
    "Tells load balancers what is left of this machine.",
    "txlb-agent",
)
