"""
The C{txlb} command: looks at a balancer that runs and changes it, over its control
socket, and helps to set one up. The balancer itself is run by C{twistd txlb}.

It ends with status 0 where all is well, 1 where something is wrong or was refused, 2
where the command line is wrong, 3 where there is no balancer, 4 where it did not
answer, 5 where C{--exit-code} was asked for and something differs; as a shell would
have it, with 130 after Ctrl-C, and with 141 where nobody reads what it says.

It starts fast: it asks by a socket of the system's and does without Twisted, and what
only one subcommand needs is loaded by that one.
"""

from txlb.cli._command import Command
from txlb.cli._main import COMMANDS, main

__all__ = ["COMMANDS", "Command", "main"]
