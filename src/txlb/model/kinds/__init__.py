"""
The kinds of values that settings have.

A kind checks the value that a program gives, reads the text of a configuration file,
writes it again, shows it and describes it. So a range is said once. What adds settings of
its own to a configuration file, such as a kind of health check, names their kinds.
"""

from txlb.model.kinds._account import Account
from txlb.model.kinds._boolean import BOOLEAN_PAIRS, Boolean
from txlb.model.kinds._brokerurl import (
    BROKERS,
    DESTINATION,
    HEART_BEAT,
    VIRTUAL_HOST,
    BrokerURL,
)
from txlb.model.kinds._kind import Kind
from txlb.model.kinds._mode import MOST_PERMISSIONS, Mode
from txlb.model.kinds._name import Name
from txlb.model.kinds._number import Number
from txlb.model.kinds._parsed import Parsed
from txlb.model.kinds._path import Path
from txlb.model.kinds._plain import MAX_QUOTED, PlainKind, quoted
from txlb.model.kinds._seconds import DAY, UNITS, UNITS_SHOWN, WEEK, Seconds, secondsOf
from txlb.model.kinds._secret import Secret
from txlb.model.kinds._secretkind import SecretKind
from txlb.model.kinds._secrettext import HASH, HIDDEN, SecretText, textOf
from txlb.model.kinds._several import Several
from txlb.model.kinds._text import MAX_TEXT, Text
from txlb.model.kinds._whole import Whole
from txlb.model.kinds._wholeor import WholeOr
from txlb.model.kinds._word import Word

__all__ = [
    "BOOLEAN_PAIRS",
    "BROKERS",
    "DAY",
    "DESTINATION",
    "HASH",
    "HEART_BEAT",
    "HIDDEN",
    "MAX_QUOTED",
    "MAX_TEXT",
    "MOST_PERMISSIONS",
    "UNITS",
    "UNITS_SHOWN",
    "VIRTUAL_HOST",
    "WEEK",
    "Account",
    "Boolean",
    "BrokerURL",
    "Kind",
    "Mode",
    "Name",
    "Number",
    "Parsed",
    "Path",
    "PlainKind",
    "Seconds",
    "Secret",
    "SecretKind",
    "SecretText",
    "Several",
    "Text",
    "Whole",
    "WholeOr",
    "Word",
    "quoted",
    "secondsOf",
    "textOf",
]
