"""Senders that never give up, and an executioner: for the crash tests."""

import os
import random
import signal
import threading
import time

from .dialogue import Closed, Dialogue
from .mail import letter
from .processes import is_gone

END = b"the last line of it\r\n"


class Load:
    """Threads that hand in one message after another over STARTTLS, and remember each one that was answered 250."""

    def __init__(self, port, recipients, senders=4, pause=0.005):
        self.port, self.recipients, self.pause = port, recipients, pause
        self.accepted = {}              # identity -> time of the 250
        self.refused = []               # answers that were neither 2yz nor 4yz
        self.broken = 0
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._send, args=(n,), daemon=True) for n in range(senders)]

    def __enter__(self):
        for t in self._threads:
            t.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        for t in self._threads:
            t.join(30)

    def _send(self, sender):
        number = 0
        while not self._over.is_set():
            try:
                with Dialogue(self.port, seconds=10) as client:
                    client.hello()
                    client.starttls()
                    while not self._over.is_set():
                        number += 1
                        self._one(client, f"load-{sender}-{number}", self.recipients[number % len(self.recipients)])
                        time.sleep(self.pause)
            except (Closed, OSError, AssertionError):
                self.broken += 1
                time.sleep(0.05)

    def _one(self, client, identity, recipient):
        body = f"{identity}\r\n".encode() * random.choice((1, 50, 2000)) + END
        answer = client.message(letter(identity=identity, body=body, to=recipient), "alice@example.net", recipient)
        if answer.code == 250:
            self.accepted[identity] = time.time()
        elif answer.code // 100 != 4:
            self.refused.append(f"{identity}: {answer}")


class Executioner:
    """kill -9 for one process of the named kind after the other; a dead master is started again."""

    def __init__(self, postern, kinds, every=0.7):
        self.postern, self.kinds, self.every = postern, kinds, every
        self.kills = []                 # (time, who)

    def work(self, seconds):
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            time.sleep(self.every * random.uniform(0.5, 1.5))
            kind = random.choice(self.kinds)
            if kind == "master":
                self.kills.append((time.time(), "master"))
                self.postern.kill_all()
                self.postern.start()
                continue
            workers = self.postern.workers(kind)
            if workers:
                name, pid = random.choice(sorted(workers.items()))
                if not is_gone(pid):
                    self.kills.append((time.time(), name))
                    os.kill(pid, signal.SIGKILL)

    def excuses(self, delivery, slack=2.0):
        """Was something killed while this delivery was in flight, or before its outcome was surely written?"""
        return any(delivery.began - slack <= when <= delivery.ended + slack for when, _ in self.kills)
