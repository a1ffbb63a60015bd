"""
The thread in which passwords are checked.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from typing import Any

from twisted.python.threadpool import ThreadPool

#: The nice value of the thread in which passwords are checked. Clients before their login
#: make it work, and relayed connections must not wait for it.
NICE = 10


class PasswordThread(threading.Thread):
    """
    A thread of low priority. It does not keep a process from ending if the logins were not
    stopped.
    """

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.daemon = True

    def run(self) -> None:
        # On other systems than Linux this changes the whole process. The threads that argon2
        # starts inherit the value.
        if sys.platform == "linux":
            with contextlib.suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)
        super().run()


class PasswordThreads(ThreadPool):
    """
    A pool of such threads.
    """

    threadFactory = PasswordThread
