"""
Where elements and attributes come from.
"""

from __future__ import annotations

from enum import Enum


class Since(Enum):
    """
    Where an element or attribute comes from. People read the value.
    """

    OLD = "1.1.0"
    PYDIRECTOR = "PythonDirector"
    NEW = "2.0"
