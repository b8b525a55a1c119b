"""Programs in the foreground, their output kept in a file, ended by their id."""

import os
import random
import signal
import socket
import subprocess
import time

LOOPBACK = "127.0.0.1"
_given = set()


def free_port():
    """A port nobody listens on, for programs that cannot be asked to bind to 0.

    Taken from below the range of outgoing connections, so that a server which
    is killed and started again still finds it free."""
    while True:
        port = random.randrange(15000, 32000)
        if port in _given:
            continue
        with socket.socket() as probe:
            try:
                probe.bind(("0.0.0.0", port))
            except OSError:
                continue
        _given.add(port)
        return port


def eventually(claim, seconds=10.0, what=None, every=0.02):
    """Wait until `claim()` is true and return its value; fail with a sentence when it never is."""
    deadline = time.monotonic() + seconds
    while True:
        value = claim()
        if value:
            return value
        if time.monotonic() > deadline:
            hint = what() if callable(what) else what
            raise AssertionError(f"not within {seconds} s: {hint or claim}")
        time.sleep(every)


def answers(port, address=LOOPBACK):
    """Does anybody accept connections there?"""
    try:
        socket.create_connection((address, port), timeout=1).close()
        return True
    except OSError:
        return False


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
        return True
    except OSError:
        return False


class Process:
    """One running program. `log` is a Path that collects stdout and stderr."""

    def __init__(self, arguments, log, stdin=subprocess.DEVNULL, **options):
        self.arguments = [str(a) for a in arguments]
        self.log = log
        with open(log, "ab") as output:
            self.running = subprocess.Popen(self.arguments, stdin=stdin, stdout=output, stderr=output, **options)
        self.pid = self.running.pid

    def text(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def alive(self):
        return self.running.poll() is None

    def wait_for(self, words, seconds=15.0):
        """Wait until the log says `words`; a program that ends before has failed."""
        eventually(lambda: words in self.text() or not self.alive(), seconds,
                   lambda: f"{self.arguments[0]} never said {words!r}:\n{self.text()}")
        assert words in self.text(), f"{' '.join(self.arguments)} ended with {self.running.returncode}:\n{self.text()}"

    def wait_for_port(self, port, seconds=15.0):
        eventually(lambda: answers(port) or not self.alive(), seconds, f"{self.arguments[0]} does not listen on {port}")
        assert self.alive(), f"{' '.join(self.arguments)} ended with {self.running.returncode}:\n{self.text()}"

    def send_signal(self, number):
        self.running.send_signal(number)

    def wait(self, seconds=15.0):
        return self.running.wait(seconds)

    def stop(self, seconds=15.0):
        """Ask it to end, then insist. Returns the exit status."""
        if self.alive():
            self.send_signal(signal.SIGTERM)
            try:
                self.wait(seconds)
            except subprocess.TimeoutExpired:
                self.running.kill()
                self.wait(5)
        return self.running.returncode


def descendants(pid):
    """Process ids of all children of `pid`, and theirs."""
    found = []
    try:
        with open(f"/proc/{pid}/task/{pid}/children") as f:
            children = [int(c) for c in f.read().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []
    for child in children:
        found += [child] + descendants(child)
    return found


def command_line(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as f:
            return f.read().replace(b"\0", b" ").decode(errors="replace").strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def resident_kib(pid):
    with open(f"/proc/{pid}/status") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmRSS"))


def is_gone(pid):
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rsplit(")", 1)[1].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def run(arguments, seconds=60, **options):
    """Run to the end; the result carries both outputs as text."""
    return subprocess.run([str(a) for a in arguments], capture_output=True, text=True, timeout=seconds,
                          env=options.pop("env", os.environ), **options)
