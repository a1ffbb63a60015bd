"""
C{python -m txlb} is the C{txlb} command.
"""

import sys

from txlb.cli import main

if __name__ == "__main__":
    sys.exit(main())
