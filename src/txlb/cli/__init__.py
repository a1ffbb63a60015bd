"""
The C{txlb} command: what helps to set up a balancer. The balancer itself is run
by C{twistd txlb}.

It ends with status 0 where all is well, 1 where a file or a password is wrong
and 2 where the command line is; as a shell would have it, with 130 after
Ctrl-C, and with 141 where nobody reads what it says.
"""

from txlb.cli._command import Command
from txlb.cli._main import COMMANDS, main

__all__ = ["COMMANDS", "Command", "main"]
