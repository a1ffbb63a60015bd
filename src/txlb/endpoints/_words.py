"""
A client endpoint from the words of its description.
"""

from __future__ import annotations

from typing import Any

from txlb.endpoints._poolendpoint import PoolEndpoint
from txlb.errors import TxlbError
from txlb.model import ProxyHost
from txlb.pool import DialLimits, HostPool

#: The largest value of a setting.
MOST_SECONDS = 3600

#: The settings of a search, each with the type of its value.
_LIMITS: dict[str, type] = {"connectTimeout": float, "dialTimeout": float, "retries": int}


class PoolWordsError(TxlbError, ValueError):
    """
    A description of a balancing endpoint that can't be understood.
    """


def endpointFromWords(reactor: Any, *words: str, **settings: str) -> PoolEndpoint:
    r"""
    Make the endpoint for a description such as
    C{txlb:leastc:a.example\:80:b.example\:80:connectTimeout=2}.

    @param words: the policy, and the address of each host. A weight may stand behind
        the address: C{a.example\:80*3}.
    @param settings: C{connectTimeout} and C{dialTimeout} in seconds, C{retries}, and
        C{sticky}: the text by which a policy with affinity chooses.
    @raise PoolWordsError: there is no host, or a word can't be understood.
    """
    if len(words) < 2:
        raise PoolWordsError(
            "a txlb: endpoint has a policy and at least one host, as in "
            r"txlb:leastc:a.example\:80:b.example\:80"
        )
    scheduler, *addresses = words
    key = settings.pop("sticky", None)
    try:
        limits = DialLimits(**{name: _value(name, word) for name, word in settings.items()})
        pool = HostPool(scheduler, [_hostOf(*each) for each in enumerate(addresses)])
    except PoolWordsError:
        raise
    except (TxlbError, ValueError) as error:
        raise PoolWordsError(f"txlb: endpoint: {error}") from error
    return PoolEndpoint(pool, reactor, limits, clientAddr=key)


def _hostOf(number: int, word: str) -> ProxyHost:
    # As in a configuration file.
    name = f"host.{number + 1}"
    address, star, weight = word.rpartition("*")
    if not star:
        return ProxyHost.at(name, word)
    if not (weight.isascii() and weight.isdigit()):
        raise PoolWordsError(f"txlb: endpoint: {weight!r} in {word!r} is no weight")
    return ProxyHost.at(name, address, weight=int(weight))


def _value(name: str, word: str) -> Any:
    kind = _LIMITS.get(name)
    if kind is None:
        known = ", ".join([*_LIMITS, "sticky"])
        raise PoolWordsError(f"txlb: endpoint: there is no setting {name!r}; there are {known}")
    try:
        value = kind(word)
    except ValueError:
        raise PoolWordsError(f"txlb: endpoint: {name}={word!r} is no number") from None
    if not value >= 0 or value > MOST_SECONDS:
        raise PoolWordsError(f"txlb: endpoint: {name}={word} is not between 0 and {MOST_SECONDS}")
    return value
