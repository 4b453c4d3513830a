"""The thread with the event loop on which notices are delivered."""

import asyncio
import threading
from dataclasses import dataclass

from alerts.use_cases.deliver import Deliverer
from common.db.listen import Listener


@dataclass
class Delivering:
    """The outbox is looked at when a notice is written (NOTIFY) and, as a net, every 250 ms."""

    deliverer: Deliverer
    listener: Listener

    def run(self, stop: threading.Event) -> None:
        """Until `stop`; attempts under way get to end. A defect in an attempt is raised here."""
        asyncio.run(self._run(stop))

    async def _run(self, stop: threading.Event) -> None:
        ended = asyncio.Event()
        listening = asyncio.create_task(
            asyncio.to_thread(self._listen, asyncio.get_running_loop(), stop, ended)
        )
        await self.deliverer.run(ended)
        await listening

    def _listen(self, loop: asyncio.AbstractEventLoop, stop: threading.Event, ended: asyncio.Event) -> None:
        while not stop.is_set():
            if self.listener.wait(stop):
                loop.call_soon_threadsafe(self.deliverer.wake)
        self.listener.close()
        loop.call_soon_threadsafe(ended.set)
        loop.call_soon_threadsafe(self.deliverer.wake)
