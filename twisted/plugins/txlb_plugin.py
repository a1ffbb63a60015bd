"""
Makes C{twistd txlb} known to twistd.
"""

from typing import Any

from twisted.application.service import ServiceMaker


class _BalancerMaker(ServiceMaker):
    """
    The maker of a balancer, which is asked for its options first of all.
    """

    @property
    def options(self) -> Any:
        """
        The class of the options. Importing it takes a while, in which signals may come.
        """
        from txlb._begin import begin  # noqa: PLC0415 - only if it is this command

        begin()
        return super().options


balancer = _BalancerMaker(
    "txlb",
    "txlb.tap",
    "Balances TCP connections over hosts.",
    "txlb",
)
