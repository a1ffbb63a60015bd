"""
Fields that take more than they hold.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

Held_co = TypeVar("Held_co", covariant=True)
Given_contra = TypeVar("Given_contra", contravariant=True)


class Made(Generic[Held_co, Given_contra]):
    """
    The type of a field that takes more than it holds: C{Made[tuple[int, ...], Iterable[int]]}
    is given any iterable and holds a tuple. C{__post_init__} makes one of the other.

    Type checkers take the type of the argument of C{__init__} from C{__set__}, and that of
    the attribute from C{__get__}. The class has no instances.
    """

    if TYPE_CHECKING:

        def __get__(self, owner: object, kind: type | None = None, /) -> Held_co: ...

        def __set__(self, owner: Any, value: Given_contra, /) -> None: ...


def given(default: object) -> Any:
    """
    Return the default of such a field, for a type checker without its type.
    """
    return default
