"""
What all sources of logins have in common.
"""

from __future__ import annotations

from typing import Any

from txlb.model.kinds import Word
from txlb.model.settings import settingField

#: What happens if a source gives no answer.
UNAVAILABLE_WORDS = ("refuse", "next")


def onUnavailableField() -> Any:
    """
    Declare the field C{onUnavailable}.
    """
    return settingField(
        "refuse",
        Word(UNAVAILABLE_WORDS),
        "What happens to a login if no server answers: with ``refuse`` it is refused, with "
        "``next`` "
        "the next source is asked. A source that answers with no is no such case: the next "
        "source is asked then.",
    )
