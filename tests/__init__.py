"""
The tests of txlb.

Properties are tested with Hypothesis, by default with the same examples every
time, so that a run says the same wherever it is made. These are few, as they say nothing new
in the next run. To search for others, and for long, set C{HYPOTHESIS_PROFILE=search}.
"""

import os
import sys

from hypothesis import HealthCheck, settings

# Examples have no time limit of their own: how long one takes depends on what
# else the machine does.
settings.register_profile(
    "repeatable",
    deadline=None,
    derandomize=True,
    database=None,
    max_examples=50,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile(
    "search",
    deadline=None,
    max_examples=2000,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))


def fewer(part: float) -> settings:
    """
    Ask for a part of the profile's examples, for a test whose examples take long.

    @param part: the part, above 0.
    """
    return settings(max_examples=max(1, round(part * settings().max_examples)))


# Coverage measures the worker processes of C{trial --jobs}. It would measure every Python program
# that the tests start in them too, and these would be slower than what is tested is meant to be.
if os.path.basename(sys.argv[0]) == "workertrial.py":
    os.environ.pop("COVERAGE_PROCESS_CONFIG", None)
