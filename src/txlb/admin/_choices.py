"""
Names that an argument of a command can be, for the completion at the prompt.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from txlb.admin._arguments import ANSWERS
from txlb.admin._completion import Choices
from txlb.model.registries import CHECKS
from txlb.schedulers import schedulerWords


def choicesOf(balancer: Any) -> Choices:
    """
    Make a function that returns the names of a balancer: see
    L{txlb.admin._completion.Choices}.

    @param balancer: the L{txlb.application.LoadBalancedService}.
    """

    words: dict[str, Callable[[], Iterable[str]]] = {
        "check": lambda: (kind.word for kind in CHECKS.kinds()),
        "scheduler": schedulerWords,
        "answer": lambda: ANSWERS,
    }

    def choices(argument: str, given: Mapping[str, object]) -> Iterable[str]:
        # The manager's verbs say serviceName where commands say service.
        known = {key.removesuffix("Name"): value for key, value in given.items()}
        services = balancer.manager.services
        groups = [
            group
            for name in (known.get("service"),)
            if name in services
            for group in services[name].groups
        ]
        word = argument.removesuffix("Name")
        if word == "service":
            return list(services)
        if word == "group":
            return [group.name for group in groups]
        if word in {"host", "proxied"}:
            return [
                host.name
                for group in groups
                if group.name == known.get("group")
                for host in group.hosts
            ]
        if word == "listener":
            return list(balancer.getProxyNames())
        return list(words[word]()) if word in words else []

    return choices
