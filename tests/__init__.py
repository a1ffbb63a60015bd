"""
The tests of txlb.

Properties are tested with Hypothesis, by default with the same examples every
time, so that a run says the same wherever it is made. To search for others set
C{HYPOTHESIS_PROFILE=search}.
"""

import os

from hypothesis import HealthCheck, settings

# Examples have no time limit of their own: how long one takes depends on what
# else the machine does.
settings.register_profile(
    "repeatable",
    deadline=None,
    derandomize=True,
    database=None,
    max_examples=100,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile(
    "search",
    deadline=None,
    max_examples=2000,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))
