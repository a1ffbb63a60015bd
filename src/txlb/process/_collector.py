"""
The garbage collector of the interpreter beside the data plane.
"""

from __future__ import annotations

import gc

#: Permanent objects, up to which none are an application's: Python 3.12 has some 400 of its own.
FEW = 1_000

#: New objects from which a change makes them permanent. Fewer are left to the collector, which
#: looks at them in 3 ms or less.
MANY = 5_000

#: Objects that a full collection has left, from which they become permanent: those of some 4,000
#: connections, at which the collector looks in 5 ms.
OLD = 30_000

#: New objects from which the collector looks at them, in the place of Python's 700, and how many
#: such looks there are to one at those that they have left. A look takes 0.1 ms with 700, and
#: comes twice as often. A relayed connection needs none.
YOUNG, LOOKS = 1_500, 5

#: The oldest generation of the collector.
OLDEST = 2

#: Permanent objects, as a multiple of those that the last look at all of them has left, from
#: which there is another such look.
GROWTH = 3


def anyPermanent() -> bool:
    """
    Say whether objects of the application are permanent.
    """
    return gc.get_freeze_count() > FEW


class Collector:
    """
    The collector of garbage, which rests while long work is done, such as a change or an upgrade.
    Owned by a L{txlb.application._slices.Slices}.

    A full collection looks at all objects, those of libraries and of thousands of hosts
    included, which takes 50 ms for 100,000 of them. In a process of the balancer's own
    (L{own}) those that are there at the start are permanent, and so are those of work
    that makes many, and those that a full collection has left, if they are many: the collector
    looks at the others alone, and at new ones less often. Permanent objects are freed as all
    are, when the last reference to them goes. Cycles of them that nothing refers to any more
    would stay: so the next full collection looks at all objects if there are L{GROWTH} times as
    many as after the last such look.

    In the process of an application nothing is made permanent. The objects of such work count as
    old ones at its end, without a look at them.

    @ivar owned: whether the process is the balancer's own.
    """

    def __init__(self) -> None:
        self.owned = False
        # How many there were after the last look, and how many there are at most.
        self._looked = self._kept = 0
        self._isThawed = False
        # Those that the interpreter had.
        self._thresholds = gc.get_threshold()
        # How often it was to rest, and whether it has run before.
        self._rests = 0
        self._collects = False

    def own(self) -> None:
        """
        Make all objects permanent that there are, as the balancer has started in a process of its
        own. It does nothing if an application has done so.
        """
        if not anyPermanent():
            self.owned = True
            self._begin()
            gc.callbacks.append(self._collected)
            self._thresholds = gc.get_threshold()
            gc.set_threshold(YOUNG, LOOKS, self._thresholds[2])

    def leave(self) -> None:
        """
        Undo L{own}, as the balancer stops.
        """
        if self.owned:
            self.owned = False
            gc.callbacks.remove(self._collected)
            gc.set_threshold(*self._thresholds)
            gc.unfreeze()

    def rest(self) -> None:
        """
        Collect nothing until L{goOn}. The garbage of connections goes before. If it rests already,
        it rests until the last L{goOn}.
        """
        self._rests += 1
        if self._rests > 1:
            return
        self._collects = gc.isenabled()
        if self._collects:
            gc.collect(1)
        gc.disable()

    def goOn(self) -> None:
        """
        Collect again, without a look at the objects that have come meanwhile.
        """
        self._rests -= 1
        if self._rests:
            return
        if self.owned:
            self._keepIf(0, MANY)
        elif not anyPermanent():
            # All objects go to the permanent generation, and from there to the oldest.
            gc.freeze()
            gc.unfreeze()
        if self._collects:
            gc.enable()

    def _collected(self, phase: str, info: dict[str, int]) -> None:
        """
        Make permanent what a full collection has left, if it is much.
        """
        if phase != "stop" or info["generation"] != OLDEST:
            return
        if self._isThawed:
            self._begin()
        else:
            self._keepIf(OLDEST, OLD)

    def _begin(self) -> None:
        """
        Make all objects permanent, and count them.
        """
        self._isThawed = False
        gc.freeze()
        self._looked = self._kept = gc.get_freeze_count()

    def _keepIf(self, generation: int, least: int) -> None:
        """
        Make all objects permanent if a generation has many. If there are too many then, the next
        full collection looks at them.
        """
        count = len(gc.get_objects(generation=generation))
        if self._isThawed or count < least:
            return
        gc.freeze()
        self._kept += count
        most = GROWTH * self._looked
        if self._kept >= most:
            # Those that were freed do not count. To count takes 10 ms for 100,000.
            self._kept = gc.get_freeze_count()
        if self._kept >= most:
            self._isThawed = True
            gc.unfreeze()
