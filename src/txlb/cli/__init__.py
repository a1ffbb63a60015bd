"""
The C{txlb} command: looks at a balancer that runs and changes it, over its control
socket, and helps to set one up. The balancer itself is run by C{twistd txlb}.

Its exit status is 0 if all is well, 1 if something is wrong or was refused, 2 if the command
line is wrong, 3 if there is no balancer, 4 if the balancer did not answer, 5 if
C{--exit-code} was given and something differs; as with a shell's own commands, 130 after
Ctrl-C, and 141 if its output is not read.

It starts fast: it asks by a plain socket and does without Twisted, and each subcommand loads
what it alone needs.
"""

from txlb.cli._command import Command
from txlb.cli._main import COMMANDS, main

__all__ = ["COMMANDS", "Command", "main"]
