"""
Public methods are documented: each by itself, or by what it overrides or implements.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementedBy
from zope.interface.interface import InterfaceClass

import txlb


def modules() -> Iterator[Any]:
    """
    Import every module of the package.
    """
    for info in pkgutil.walk_packages(txlb.__path__, "txlb."):
        if not info.name.endswith("__main__"):
            yield importlib.import_module(info.name)


def protocols() -> list[type]:
    """
    Find every structural protocol of the package.
    """
    return [
        cls
        for module in modules()
        for cls in tuple(vars(module).values())
        if inspect.isclass(cls)
        and cls.__module__ == module.__name__
        and getattr(cls, "_is_protocol", False)
    ]


def follows(cls: type, protocol: type) -> bool:
    """
    Tell whether a class has every public method of a protocol.
    """
    return all(hasattr(cls, name) for name in vars(protocol) if not name.startswith("_"))


def hasDocstring(cls: type, name: str) -> bool:
    """
    Tell whether a class itself has a method, with a docstring.
    """
    # None, which there is of no method, has a docstring of its own since Python 3.13.
    return name in vars(cls) and bool(getattr(vars(cls)[name], "__doc__", None))


def isDocumented(cls: Any, name: str, known: list[type]) -> bool:
    """
    Tell whether a class, one of its bases, interfaces or protocols documents a method.
    """
    if any(hasDocstring(base, name) for base in cls.__mro__):
        return True
    if any(name in interface for interface in implementedBy(cls).flattened()):
        return True
    return any(hasDocstring(protocol, name) and follows(cls, protocol) for protocol in known)


def undocumented(module: Any, known: list[type]) -> Iterator[str]:
    """
    Name the public methods of the public classes of a module that nothing documents.
    """
    for cls in vars(module).values():
        if not inspect.isclass(cls) or isinstance(cls, InterfaceClass):
            continue
        if cls.__module__ != module.__name__ or cls.__name__.startswith("_"):
            continue
        for name, member in tuple(vars(cls).items()):
            if name.startswith("_") or not callable(getattr(member, "__func__", member)):
                continue
            if inspect.isclass(member) or isDocumented(cls, name, known):
                continue
            yield f"{module.__name__}.{cls.__qualname__}.{name}"


class DocumentedTests(SynchronousTestCase):
    def test_methods(self) -> None:
        known = protocols()
        found = [name for module in modules() for name in undocumented(module, known)]
        self.assertEqual(found, [])

    def test_itFinds(self) -> None:
        """
        The search finds a method without a docstring, and accepts one that overrides.
        """

        class Base:
            def documented(self) -> None:
                """
                Do nothing.
                """

        class Derived(Base):
            def documented(self) -> None:
                pass

            def bare(self) -> None:
                pass

        module = ModuleType(__name__)
        vars(module)["Derived"] = Derived
        found = [name.rpartition(".")[2] for name in undocumented(module, [])]
        self.assertEqual(found, ["bare"])
