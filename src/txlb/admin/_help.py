"""
C{help()} at the prompt.
"""

from __future__ import annotations

import inspect
import pydoc
from collections.abc import Callable, Mapping

#: The widest line, in characters.
WIDTH = 96

#: Descriptions of the names that are no functions.
_NAMES = {
    "services": "the balancer: its listeners, its file, stopping",
    "manager": "its services, groups and hosts: each function of the list is a verb of it",
    "config": "the configuration as it was read; None if there is no file",
}


class Help:
    """
    The function C{help} of the prompt: describes the names that are bound.

    @param show: shows a text.
    @param names: those that are bound.
    """

    def __init__(self, show: Callable[[str], None], names: Mapping[str, object]) -> None:
        self._show = show
        self._names = names

    def __repr__(self) -> str:
        return "help() tells what there is here, help(drain) what one of it does"

    def __call__(self, *things: object) -> None:
        """
        Tell what there is here; with something in brackets, what that does.
        """
        for thing in things:
            if not isinstance(thing, str):
                self._show(helpText(thing) + "\n")
            elif thing in self._names:
                self._show(helpText(self._names[thing]) + "\n")
            else:
                self._show(f"nothing is called {thing!r} here; help() tells what is\n")
        if not things:
            self._show(self._overview())

    def _overview(self) -> str:
        rows = [("help(x)", "what x does, such as help(drain)")]
        rows += [(name, text) for name, text in _NAMES.items() if name in self._names]
        rows += [
            (name + _signature(each), _first(each))
            for name, each in self._names.items()
            if callable(each) and name not in _NAMES and not isinstance(each, Help)
        ]
        lines = ["This is Python, inside the balancer. Bound are:"]
        for call, text in rows:
            lines += [f"  {call}", f"      {text}"]
        return "\n".join(lines) + "\n"


def helpText(thing: object) -> str:
    """
    Describe a value.
    """
    name = getattr(thing, "__name__", None)
    if inspect.isroutine(thing) and name and thing.__doc__:
        return f"{name}{_signature(thing)}\n\n{inspect.cleandoc(thing.__doc__)}"
    # Pydoc prints words twice over each other for bold type.
    return pydoc.plain(pydoc.render_doc(thing, "%s")).rstrip("\n")


def _signature(function: object) -> str:
    """
    Return the arguments of a function, without their types.
    """
    if not callable(function):
        return ""
    try:
        signature = inspect.signature(function)
    except (ValueError, TypeError):
        return "(...)"
    parameters = [
        each.replace(annotation=inspect.Parameter.empty) for each in signature.parameters.values()
    ]
    return str(signature.replace(parameters=parameters, return_annotation=inspect.Signature.empty))


def _first(thing: object) -> str:
    """
    Return the first sentence of a value's docstring.
    """
    text = inspect.getdoc(thing) or ""
    line = " ".join(text.split("\n\n", maxsplit=1)[0].split())
    sentence = line.split(". ", maxsplit=1)[0]
    return sentence if len(sentence) <= WIDTH else sentence[: WIDTH - 1] + "…"
