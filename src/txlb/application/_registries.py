"""
What one package offers and another one has to know, though neither imports the
other.
"""

from __future__ import annotations

from txlb.application._probes import discoverProbes
from txlb.config import findProbeWordsBy, registerCheckWord, registerProbeWord
from txlb.health import checkKinds
from txlb.resources import findProbesBy, probeKinds


def fillRegistries() -> None:
    """
    Let configuration files ask for every kind of health check and resource probe. It is
    done once, when L{txlb.application} is imported.
    """
    for kind in checkKinds():
        if kind.inFiles:
            registerCheckWord(kind.word, kind.doc, kind.options)
    findProbesBy(discoverProbes)
    findProbeWordsBy(discoverProbes)
    for probe in probeKinds():
        registerProbeWord(probe.word, probe.doc, probe.options)
