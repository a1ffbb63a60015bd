"""
The garbage collector of the interpreter beside the data plane.
"""

from __future__ import annotations

import gc

#: New objects from which a change makes them permanent. Fewer are left to the collector, which
#: looks at them in 3 ms or less.
MANY = 5_000

#: Permanent objects, as a multiple of those that the last look at all of them has left, from
#: which there is another such look.
GROWTH = 3


class Collector:
    """
    The collector of garbage, which rests while long work is done. Owned by a
    L{txlb.application._slices.Slices}.

    A full collection looks at all objects, those of libraries and of thousands of hosts
    included, which takes 50 ms for 100,000 of them. In a process of the balancer's own
    (L{own}) those that are there at the start are permanent, and so are those of a change
    that makes many: the collector looks at the others alone. Permanent objects are freed as
    all are, when the last reference to them goes. Cycles of them that nothing refers to any more
    would stay: so there is one look at all objects if there are L{GROWTH} times as many as
    after the last one.

    In the process of an application nothing is made permanent. The objects of a change count as
    old ones at its end, without a look at them.

    @ivar owned: whether the process is the balancer's own.
    """

    def __init__(self) -> None:
        self.owned = False
        self._looked = 0
        self._collects = False

    def own(self) -> None:
        """
        Make all objects permanent that there are, as the balancer has started in a process of its
        own. It does nothing if an application has done so.
        """
        if not gc.get_freeze_count():
            self.owned = True
            gc.freeze()
            self._looked = gc.get_freeze_count()

    def leave(self) -> None:
        """
        Undo L{own}, as the balancer stops.
        """
        if self.owned:
            self.owned = False
            gc.unfreeze()

    def rest(self) -> None:
        """
        Collect nothing until L{goOn}. The garbage of connections goes before.
        """
        self._collects = gc.isenabled()
        if self._collects:
            gc.collect(1)
        gc.disable()

    def goOn(self) -> None:
        """
        Collect again.
        """
        if self.owned:
            if len(gc.get_objects(generation=0)) >= MANY:
                self._keep()
        elif not gc.get_freeze_count():
            # All objects go to the permanent generation, and from there to the oldest.
            gc.freeze()
            gc.unfreeze()
        if self._collects:
            gc.enable()

    def _keep(self) -> None:
        """
        Make all objects permanent.
        """
        gc.freeze()
        if gc.get_freeze_count() >= GROWTH * self._looked:
            gc.unfreeze()
            gc.collect()
            gc.freeze()
            self._looked = gc.get_freeze_count()
