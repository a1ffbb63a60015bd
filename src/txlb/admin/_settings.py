"""
Settings that commands change, by their names.

A value may be a text as the configuration file has it, with C{none} for a setting that is
not set. L{txlb.model.settings} says the kind of each.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from txlb.errors import UnknownName
from txlb.model import HealthCheck, ProxyGroup, ProxyHost, ProxyService
from txlb.model.kinds import Kind
from txlb.model.registries import CHECKS
from txlb.model.settings import settingsOf

#: The text for a setting that is not set.
NONE = "none"

#: Settings of a service that are lists of networks, with commas between them.
_NETWORKS = {
    "allow": "Networks of clients that may come in, with commas between them.",
    "deny": "Networks of clients that may not come in, with commas between them.",
}

#: The owners of settings, in messages.
_CALLED = {
    "host": "a host",
    "group": "a group",
    "scheduler": "a scheduler",
    "admission": "the admission",
}

#: Settings that commands of their own change, and names.
_OTHERS = {
    "host": {"name", "address", "weight", "state"},
    "group": {"name", "scheduler", "enabled"},
    "check": {"kind"},
}


def settingKinds(of: str) -> Mapping[str, Kind]:
    """
    Return the kinds of settings by their names.

    @param of: C{host}, C{group}, C{scheduler}, C{admission} or C{check}. Networks of the
        admission and the options of one kind of check are not among them.
    """
    found = {
        "host": settingsOf(ProxyHost),
        "group": settingsOf(ProxyGroup),
        "scheduler": settingsOf(ProxyGroup, "scheduler"),
        "admission": settingsOf(ProxyService, "admission"),
        "check": settingsOf(HealthCheck),
    }[of]
    others = _OTHERS.get(of, ())
    return {name: each.kind for name, each in found.items() if name not in others}


def readSettings(of: str, given: Mapping[str, object]) -> dict[str, object]:
    """
    Read the settings that are texts. Other values are kept: a program gives them.

    @param of: see L{settingKinds}. Options of a kind of check are kept as texts.
    @raise ModelError: a text is wrong.
    @raise UnknownName: there is no such setting.
    """
    kinds = settingKinds(of)
    return {name: _read(of, kinds, name, value) for name, value in given.items()}


def _read(of: str, kinds: Mapping[str, Kind], name: str, value: object) -> object:
    if not isinstance(value, str):
        return value
    if of == "admission" and name in _NETWORKS:
        return () if value == NONE else tuple(each.strip() for each in value.split(","))
    if name not in kinds:
        if of == "check":
            return value
        known = [*kinds, *(_NETWORKS if of == "admission" else ())]
        raise UnknownName(f"setting of {_CALLED[of]}", name, known)
    return None if value == NONE else kinds[name].parse(value, name)


def checkOf(word: str, given: Mapping[str, object]) -> HealthCheck | None:
    """
    Make a health check.

    @param word: its kind; C{none} for no check.
    @param given: its settings, and the options of its kind.
    @raise ModelError: a setting is wrong.
    """
    if word == NONE and not given:
        return None
    settings = readSettings("check", given)
    common = settingKinds("check")
    options = {name: value for name, value in settings.items() if name not in common}
    return HealthCheck(
        word,
        options=options,
        **{name: value for name, value in settings.items() if name in common},  # type: ignore[arg-type]  # HealthCheck looks
    )


def describedSettings(of: str, check: str = "") -> Iterator[tuple[str, str]]:
    """
    Yield the names of settings, each with a description of its values.

    @param of: see L{settingKinds}.
    @param check: the kind of check whose options are included; empty for none.
    """
    for name, kind in settingKinds(of).items():
        yield name, kind.brief()
    if of == "admission":
        yield from _NETWORKS.items()
    if check:
        try:
            options = CHECKS.get(check).options
        except UnknownName:
            return
        for option in options:
            yield option.name, option.kind.brief()
