"""
A checker of Twisted's as a source of logins.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from txlb.config._adminuser import ACCESS_WORDS
from txlb.config._loginsource import onUnavailableField
from txlb.model.kinds import DAY, Boolean, Seconds, Text, Word
from txlb.model.settings import checkSettings, setting, settingField


@dataclass(frozen=True, slots=True)
class CheckerSource:
    """
    A checker that a string names, as with C{twistd --auth}.
    """

    spec: str = field(
        metadata=setting(
            Text(r"[A-Za-z0-9_.-]+(:[^\x00-\x1f]*)?", "the name of a checker, or name:argument"),
            "The checker, as ``twistd --help-auth`` lists them: ``file:/etc/txlb/passwords``, "
            "``unix``, or one of a plugin.",
        )
    )
    access: str = field(
        metadata=setting(Word(ACCESS_WORDS), "The access of all users that it lets in.")
    )
    onUnavailable: str = onUnavailableField()
    blocking: bool = settingField(
        False,
        Boolean(),
        "Whether the checker takes its time before it answers, as those of PAM and of slow hashes "
        "do. Then it is asked in the thread of passwords, and relayed connections do not wait for "
        "it. ``file`` and ``unix`` are always asked there. A checker that needs the reactor can't "
        "be.",
    )
    recheck: float = settingField(
        0.0,
        Seconds(0.0, 7 * DAY, zero="no end"),
        "Seconds after which a user has to log in again, as a checker can't be asked about a user "
        "that is in.",
    )

    def __post_init__(self) -> None:
        checkSettings(self, "<checker>")
