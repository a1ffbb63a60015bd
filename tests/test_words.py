"""
Prose is in plain words: the actor of a sentence has a name, such as pool, relay, client, host
or administrator. CONTRIBUTING has the rule.

This looks for words that stand in place of an actor. It can't find everything that the rule
forbids, but each word that it finds has a better one.
"""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

ROOT = Path(__file__).resolve().parents[1]

#: Words that name no actor. "Whose" is not among them: "a host whose name has two addresses"
#: names it.
VAGUE = (
    "anybody",
    "anyone",
    "everybody",
    "everyone",
    "nobody",
    "somebody",
    "someone",
    "whatever",
    "who",
    "whoever",
    "whom",
    "whomever",
)
#: Phrases that say in a figure which of two sources decides.
FIGURES = ("had the word", "has the word", "have the word", "speaks against")
FORBIDDEN = re.compile(rf"(?<![\w.-])(?:{'|'.join(VAGUE + FIGURES)})(?![\w-])", re.IGNORECASE)

#: Places where such a word has to stand, as pairs of a file and the text around it.
ALLOWED = {
    # The rule itself names two of them.
    ("CONTRIBUTING.rst", 'not "who" or "somebody"'),
    # So does an example of how not to write.
    ("CONTRIBUTING.rst", "whose checks have the word"),
    # The name of a user of the system.
    ("benchmarks/peers/_registry.py", '"nobody"'),
}

#: What is no prose: names in docstrings, and literals in pages.
MARKUP = re.compile(r"[CL]\{[^{}]*\}|@param \w+:|``.*?``|:\w+:`[^`]*`", re.DOTALL)


def proseOfPython(source: str) -> Iterator[tuple[int, str]]:
    """
    Find docstrings, comments and texts in a module, as pairs of line and text.
    """
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        kind = tokenize.tok_name[token.type]
        if kind in {"COMMENT", "STRING", "FSTRING_MIDDLE"}:
            # Before Python 3.12 an f-string is one token, with the code in its braces.
            isFormatted = re.match(r"[rR]?[fF]", token.string) is not None
            text = re.sub(r"\{[^{}]*\}", "", token.string) if isFormatted else token.string
            yield token.start[0], text


def proseOfPage(source: str) -> Iterator[tuple[int, str]]:
    """
    Find the paragraphs of a page, as pairs of line and text. Blocks of code are left out.
    """
    code: int | None = None
    paragraph: list[str] = []
    first = 0
    for number, line in enumerate([*source.splitlines(), ""], 1):
        indent = len(line) - len(line.lstrip())
        if code is not None and line.strip() and indent <= code:
            code = None
        if code is None and re.match(r"\s*\.\. (code-block|literalinclude|toctree|image)::", line):
            code = indent
        elif code is None and line.strip():
            first = first if paragraph else number
            paragraph.append(line.strip())
        elif paragraph:
            yield first, " ".join(paragraph)
            if paragraph[-1].endswith("::"):
                code = 0
            paragraph = []


def vague(name: str, source: str) -> Iterator[str]:
    """
    Find the words of a file that name no actor.
    """
    texts = proseOfPython(source) if name.endswith(".py") else proseOfPage(source)
    for line, text in texts:
        prose = MARKUP.sub("", text)
        for file, allowed in ALLOWED:
            if file == name:
                prose = prose.replace(allowed, "")
        for found in FORBIDDEN.finditer(" ".join(prose.split())):
            yield f"{name}:{line}: {found[0]!r} names no actor"


def files() -> Iterator[Path]:
    """
    Find the files whose prose has to be plain.
    """
    yield from sorted((ROOT / "src").rglob("*.py"))
    yield from sorted((ROOT / "examples").rglob("*.py"))
    yield from sorted((ROOT / "benchmarks").rglob("*.py"))
    yield from sorted(path for path in (ROOT / "docs").rglob("*.rst") if "_build" not in path.parts)
    yield from sorted((ROOT / "changelog.d").glob("*.rst"))
    yield from (ROOT / name for name in ("README.rst", "CHANGELOG.rst", "CONTRIBUTING.rst"))


class PlainWordsTests(SynchronousTestCase):
    def test_noVagueActors(self) -> None:
        """
        The sources, the documentation and the changelog name their actors.
        """
        found: list[str] = []
        for path in files():
            name = path.relative_to(ROOT).as_posix()
            if "/generated/" not in name:
                found += vague(name, path.read_text(encoding="utf-8"))
        self.assertEqual(found, [])

    def test_allowedIsThere(self) -> None:
        """
        An allowed text that is gone is no exception any more.
        """
        for name, allowed in ALLOWED:
            text = " ".join((ROOT / name).read_text(encoding="utf-8").split())
            self.assertIn(allowed, text)

    def test_findsInModules(self) -> None:
        """
        Docstrings, comments and texts are looked at, f-strings among them; names are not.
        """
        module = (
            '"""\nTell whoever asks.\n"""\n\n'
            "nobody = 1  # as somebody may ask\n"
            'print(f"{nobody} is for everybody")\n'
            'print("L{whatever} and C{who} are names")\n'
        )
        self.assertEqual(
            list(vague("a.py", module)),
            [
                "a.py:1: 'whoever' names no actor",
                "a.py:5: 'somebody' names no actor",
                "a.py:6: 'everybody' names no actor",
            ],
        )

    def test_findsInPages(self) -> None:
        """
        Paragraphs are looked at, on whichever line the words stand; code is not.
        """
        page = (
            "Checks\n======\n\nFor a host the checks have\nthe word, and ``nobody`` is a user.\n\n"
            ".. code-block:: console\n\n   $ su nobody\n   whatever\n\n"
            "To run it::\n\n    su nobody\n\nThe user who runs it.\n"
        )
        self.assertEqual(
            list(vague("a.rst", page)),
            [
                "a.rst:4: 'have the word' names no actor",
                "a.rst:16: 'who' names no actor",
            ],
        )
