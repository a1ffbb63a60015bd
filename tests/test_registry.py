"""
Tests for L{txlb.registry}.
"""

from __future__ import annotations

from dataclasses import dataclass

from twisted.trial.unittest import SynchronousTestCase
from zope.interface import Interface

from txlb.errors import DuplicateName, ModelError, UnknownName
from txlb.registry import Registry


class IShape(Interface):
    """
    A kind for these tests.
    """


@dataclass(frozen=True)
class Shape:
    """
    A kind for these tests.
    """

    word: str
    corners: int = 0


def accept(shape: Shape) -> Shape:
    if shape.corners < 0:
        raise ModelError(f"{shape.word!r} has {shape.corners} corners; it needs 0 or more")
    return Shape(shape.word, shape.corners)


class RegistryTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.registry: Registry[Shape] = Registry("shape", IShape, accept, {"box": "square"})
        self.square = Shape("square", 4)
        self.registry.register(self.square)

    def test_register(self) -> None:
        """
        Kinds are found by word and by alias, in the order of their registration. The kind is
        what C{accept} returns, and C{has} knows the object that was registered.
        """
        self.registry.register(Shape("half-circle", 2))
        self.assertEqual(self.registry.words(), ["square", "half-circle"])
        self.assertEqual(self.registry.kinds(), [self.square, Shape("half-circle", 2)])
        self.assertEqual(self.registry.get("box"), self.square)
        self.assertIsNot(self.registry.get("square"), self.square)
        self.assertTrue(self.registry.has(self.square))
        self.assertFalse(self.registry.has(Shape("square", 4)))
        self.assertEqual((self.registry.sort, self.registry.interface), ("shape", IShape))

    def test_refused(self) -> None:
        """
        A word that is taken, a word that is none, and a kind that is refused leave the
        registry as it was.
        """
        for word in ("square", "box"):
            error = self.assertRaises(DuplicateName, self.registry.register, Shape(word))
            self.assertEqual(str(error), f"there is a shape {word!r} already; choose another word")
        for wrong in (Shape("two words"), Shape(""), Shape(7), object()):  # type: ignore[arg-type]  # wrong on purpose
            unfit = self.assertRaises(ModelError, self.registry.register, wrong)
            self.assertIn(
                "is no word for a shape; choose one of letters, digits, - and _", str(unfit)
            )
        unfit = self.assertRaises(ModelError, self.registry.register, Shape("star", -1))
        self.assertEqual(str(unfit), "'star' has -1 corners; it needs 0 or more")
        self.assertEqual(self.registry.words(), ["square"])

    def test_unknown(self) -> None:
        """
        Without a finder an unknown word is an error at once, with the nearest word.
        """
        error = self.assertRaises(UnknownName, self.registry.get, "squar")
        self.assertEqual(str(error), "no shape is called 'squar'; did you mean 'square'?")

    def test_finder(self) -> None:
        """
        An unknown word calls the finder, unless the caller forbids it. A known word or alias
        does not. The error has what the finder says is wrong.
        """
        looked: list[str] = []

        def find() -> list[str]:
            looked.append("looked")
            if not self.registry.has(late):
                self.registry.register(late)
            return ["plugin a.py: no", "plugin b.py: no"]

        late = Shape("late")
        self.registry.findBy(find)
        self.registry.get("box")
        self.assertRaises(UnknownName, self.registry.get, "late", lambda: False)
        self.assertEqual(looked, [])
        self.assertEqual(self.registry.get("late"), late)
        self.registry.get("late")
        self.assertEqual(looked, ["looked"])
        error = self.assertRaises(UnknownName, self.registry.get, "x")
        self.assertEqual(error.more, "plugin a.py: no; plugin b.py: no")
        self.assertIn("(plugin a.py: no; plugin b.py: no)", str(error))
