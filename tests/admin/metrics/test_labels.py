"""
Labels of samples.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txlb.admin.metrics._labels import labelsOf


class LabelsTests(SynchronousTestCase):
    def test_labels(self) -> None:
        self.assertEqual(labelsOf(a="x", b="y z"), '{a="x",b="y z"}')
        self.assertEqual(labelsOf(), "{}")

    def test_escapes(self) -> None:
        self.assertEqual(labelsOf(a='"\\\n'), '{a="\\"\\\\\\n"}')
        self.assertEqual(labelsOf(a="Grüße 😀"), '{a="Grüße 😀"}')

    def test_noText(self) -> None:
        """
        A path that is no text does not break the whole answer.
        """
        self.assertEqual(labelsOf(a="x\udcffy"), '{a="x?y"}')
