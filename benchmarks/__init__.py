"""
What txlb costs, beside what else could be used instead.

C{python -m benchmarks} runs everything; C{README.rst} says how to read what it
writes.
"""
