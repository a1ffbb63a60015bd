"""
Links from the API reference to the documentation of Python and Twisted.

Their own inventories are on the network, and a build must not need the network. So
inventories are made here, of the names that txlb imports.
"""

from __future__ import annotations

import ast
import builtins
import importlib
import importlib.util
import inspect
import pkgutil
import re
import zlib
from collections.abc import Iterator
from pathlib import Path

PYTHON = "https://docs.python.org/3/library/"
#: A link in a docstring, with dots in it.
LINK = re.compile(r"L\{(\w+\.[\w.]+)\}")

TWISTED = "https://docs.twisted.org/en/stable/api/"


def writeInventory(path: Path, pages: dict[str, str]) -> None:
    """
    Write an inventory of names and their pages, in version 2 of Sphinx's format.
    """
    head = f"# Sphinx inventory version 2\n# Project: {path.stem}\n# Version: 0\n"
    head += "# The remainder of this file is compressed using zlib.\n"
    lines = "".join(f"{name} py:obj 1 {uri} -\n" for name, uri in sorted(pages.items()))
    path.write_bytes(head.encode() + zlib.compress(lines.encode()))


def wanted(package: Path) -> Iterator[tuple[str, str]]:
    """
    Find the names that the modules of a package import from others, or write out in
    full in their docstrings, as pairs of module and name.
    """
    for path in package.rglob("*.py"):
        source = path.read_text(encoding="utf-8")
        for target in LINK.findall(source):
            yield from split(target)
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                if node.module.endswith(".interfaces") and not node.module.startswith("txlb."):
                    # Methods refer to their interface, which may be a base of an
                    # imported one.
                    interfaces = vars(importlib.import_module(node.module))
                    yield from ((node.module, name) for name in interfaces if name[0] == "I")
                yield from ((node.module, alias.name) for alias in node.names)
            elif isinstance(node, ast.Import):
                yield from ((alias.name, "") for alias in node.names)


def split(target: str) -> Iterator[tuple[str, str]]:
    """
    Split a dotted name into its module and the class or function in it, if it has one.
    """
    module, _, rest = target.rpartition(".")
    while module and module.partition(".")[0] != "txlb":
        if importlib.util.find_spec(module.partition(".")[0]) is None:
            return
        try:
            importlib.import_module(module)
        except ImportError:
            module, _, first = module.rpartition(".")
            rest = first
            continue
        yield module, rest
        return


def members(module: str, name: str) -> Iterator[str]:
    """
    List the dotted names of a class, function or module and its members.
    """
    full = f"{module}.{name}" if name else module
    found: object = pkgutil.resolve_name(full)
    yield full
    if inspect.isclass(found) or inspect.ismodule(found):
        yield from (f"{full}.{member}" for member in dir(found) if not member.startswith("_"))
    elif hasattr(found, "names"):
        yield from (f"{full}.{member}" for member in found.names(all=True))


def pythonPages(module: str, names: Iterator[str]) -> dict[str, str]:
    """
    Map a module's names to pages of the standard library's documentation.
    """
    return {name: f"{module}.html#{name}" for name in names}


def builtinPages() -> dict[str, str]:
    """
    Map builtin names to their pages.
    """
    pages = {}
    for name, value in vars(builtins).items():
        if isinstance(value, type) and issubclass(value, BaseException):
            pages[name] = f"exceptions.html#{name}"
        elif isinstance(value, type):
            pages[name] = f"stdtypes.html#{name}"
            pages.update({f"{name}.{m}": f"stdtypes.html#{name}.{m}" for m in dir(value)})
        elif callable(value):
            pages[name] = f"functions.html#{name}"
        else:
            pages[name] = f"constants.html#{name}"
    return pages


def twistedPages(names: Iterator[str]) -> dict[str, str]:
    """
    Map names to pages of Twisted's API reference, which has a page for each class or
    module. Each name is listed by its last parts too: if a class of ours is moved to
    the package that exports it, pydoctor no longer sees the imports of its module.
    """
    pages = {}
    whole = next(names)
    pages[whole] = page = f"{whole}.html"
    short = whole.rpartition(".")[2]
    pages[short] = page
    for name in names:
        member = name.rpartition(".")[2]
        pages[name] = pages[f"{short}.{member}"] = f"{page}#{member}"
    return pages


def inventories(package: Path, folder: Path) -> list[str]:
    """
    Write the inventories.

    @return: pydoctor's options that name them.
    """
    python, twisted = builtinPages(), {}
    for module, name in sorted(set(wanted(package))):
        top = module.partition(".")[0]
        if top in {"twisted", "zope"}:
            twisted.update(twistedPages(members(module, name)))
        elif top != "txlb":
            python.update(pythonPages(module, members(module, name)))
    folder.mkdir(parents=True, exist_ok=True)
    options = []
    for title, base, pages in (("python", PYTHON, python), ("twisted", TWISTED, twisted)):
        path = folder / f"{title}.inv"
        writeInventory(path, pages)
        options.append(f"--intersphinx-file={path}::{base}")
    return options
