"""
One conversation of a check under way.
"""

from __future__ import annotations

from dataclasses import replace

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from txlb.deadlines import Deadlines
from txlb.health._checkconnection import CheckConnection, Conversation
from txlb.health._checkrace import CheckRace
from txlb.health._connectrequest import ConnectRequest
from txlb.health._verdict import CheckEnded, Verdict, verdictOf
from txlb.health._watcher import Watcher


class RunningConversation:
    """
    One conversation under way.

    @ivar done: fires with the verdict, see L{txlb.health.Sockets.run}.
    """

    __slots__ = (
        "_connection",
        "_conversation",
        "_deadlines",
        "_race",
        "_want",
        "_watched",
        "_watcher",
        "done",
    )

    def __init__(
        self,
        watcher: Watcher,
        deadlines: Deadlines,
        connection: CheckConnection,
        conversation: Conversation,
    ) -> None:
        self._watcher = watcher
        self._deadlines = deadlines
        self._race: CheckRace | None = None
        self._connection = connection
        self._conversation = conversation
        self._watched = -1
        self._want = 0
        self.done: Deferred[Verdict] = Deferred(self._cancel)
        self._step()

    def _step(self) -> None:
        try:
            want = next(self._conversation)
        except StopIteration as stop:
            self._end(stop.value)
        except CheckEnded as ended:
            self._end(ended.verdict)
        except OSError as error:
            self._end(verdictOf(error, self._connection.address))
        except Exception:  # noqa: BLE001 - the heartbeat logs it
            self._free()
            self.done.errback(Failure())
        else:
            if isinstance(want, ConnectRequest):
                self._race = CheckRace(want, self._watcher, self._deadlines, self._step)
                self._race.begin()
                return
            # With TLS another socket object has the same descriptor.
            if want != self._want:
                self._want = want
                self._watched = self._connection.fileno()
                self._watcher.watch(self._watched, want, self._step)

    def _end(self, verdict: Verdict) -> None:
        self._free()
        if self._connection.wentElsewhere:
            verdict = replace(verdict, address=self._connection.address)
        self.done.callback(verdict)

    def _free(self) -> None:
        if self._race is not None:
            self._race.end()
        if self._watched >= 0:
            self._watcher.forget(self._watched)
            self._watched = -1
        self._connection.close()

    def _cancel(self, deferred: Deferred[Verdict]) -> None:
        doing = self._connection.doing
        self._conversation.close()
        self._free()
        deferred.callback(Verdict(False, doing))
