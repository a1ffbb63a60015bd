"""
The signals for C{benchmarks.holding}. There are two, as Python merges those of one number that
come before it runs.
"""

import signal

#: Measure from now on.
BEGIN = signal.SIGRTMIN

#: Measure no more, and write what was seen.
END = signal.SIGRTMIN + 1
