"""What the benchmark reads from the machine: CPU, memory, syncs, and how its figures are shown."""

import os
import resource
import statistics
import threading
import time
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


class Tree:
    """A process with all that descend from it."""

    def __init__(self, root):
        self.root = root

    def stats(self):
        """{pid: (name, seconds of CPU)}; the CPU of children that were waited for counts with their parent."""
        parents, about = {}, {}
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                text = (entry / "stat").read_text()
            except OSError:
                continue
            name, fields = text[text.index("(") + 1:text.rindex(")")], text[text.rindex(")") + 2:].split()
            pid = int(entry.name)
            parents[pid] = int(fields[1])
            about[pid] = (name, sum(map(int, fields[11:15])) / TICKS)
        mine = {self.root} & about.keys()
        while True:
            more = {pid for pid, parent in parents.items() if parent in mine} - mine
            if not more:
                return {pid: about[pid] for pid in mine}
            mine |= more

    @staticmethod
    def title(pid, name):
        """What a process of ours calls itself ("postern: inbound.0"), for others the name of the program."""
        try:
            words = Path(f"/proc/{pid}/cmdline").read_text().rstrip("\0")
        except OSError:
            return name
        return words.split(": ", 1)[1] if words.startswith("postern: ") else name

    def cpu(self):
        return sum(seconds for _, seconds in self.stats().values())

    def memory(self):
        """{pid: (name, Rss, Pss)} in KiB. Pss counts what several processes share once, in parts."""
        found = {}
        for pid, (name, _) in self.stats().items():
            try:
                lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            except OSError:
                continue
            values = {line.split(":")[0]: int(line.split()[1]) for line in lines[1:]}
            if "Rss" in values:
                found[pid] = (self.title(pid, name), values["Rss"], values["Pss"])
        return found


class Watcher:
    """Samples memory in the background: `with Watcher(tree, seconds) as w: ...; w.peak_total, w.peaks`"""

    def __init__(self, tree, interval):
        self.tree, self.interval = tree, interval
        self.peak_total, self.processes, self.peaks = 0, 0, {}      # KiB: Pss of all; Rss by name
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def sample(self):
        now = self.tree.memory()
        self.peak_total = max(self.peak_total, sum(pss for _, _, pss in now.values()))
        self.processes = max(self.processes, len(now))
        for name, rss, _ in now.values():
            self.peaks[name] = max(self.peaks.get(name, 0), rss)

    def run(self):
        while not self.over.wait(self.interval):
            self.sample()

    def __enter__(self):
        self.sample()
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()
        self.sample()


def children_cpu():
    """Seconds of CPU of all the children of ours that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def machine_cpu():
    """Seconds: what all processors did for anybody, and what they could have done."""
    fields = [int(word) for word in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    idle = fields[3] + fields[4]
    return (sum(fields) - idle) / TICKS, sum(fields) / TICKS


def sync_latency(folder, times=200):
    """Milliseconds for 4 KiB appended and synced: median and the 90th of a hundred."""
    path, took = Path(folder) / "sync-latency", []
    fd = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
    for _ in range(times):
        began = time.monotonic()
        os.write(fd, bytes(4096))
        os.fdatasync(fd)
        took.append((time.monotonic() - began) * 1000)
    os.close(fd)
    path.unlink()
    return statistics.median(took), sorted(took)[len(took) * 9 // 10]


def filesystem_of(folder):
    """The type of the file system that a folder lies on, and whether it keeps a journal: what a sync costs hangs on it."""
    path, best = os.path.realpath(folder), ("", "?", "")
    for line in Path("/proc/mounts").read_text().splitlines():
        device, point, kind = line.split()[:3]
        if (path + "/").startswith(point.rstrip("/") + "/") and len(point) >= len(best[0]):
            best = (point, kind, Path(os.path.realpath(device)).name)
    journals = [entry.name for entry in Path("/proc/fs/jbd2").glob("*")]
    bare = best[1] == "ext4" and not any(name.rsplit("-", 1)[0] == best[2] for name in journals)
    return best[1], best[1] + (" without a journal" if bare else "")


def machine():
    model = next((line.split(":", 1)[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
                  if line.startswith("model name")), "unknown CPU")
    memory = int(Path("/proc/meminfo").read_text().split()[1]) // 1024
    about = os.uname()
    return f"{len(os.sched_getaffinity(0))} cores ({model}), {memory} MiB, {about.sysname} {about.release} {about.machine}"


def median(values):
    return statistics.median(values) if values else float("nan")


def table(head, rows):
    """Columns as wide as they need to be; the first is text, the others are figures."""
    rows = [[str(cell) for cell in row] for row in [head, *rows]]
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    rows.insert(1, ["-" * width for width in widths])
    for row in rows:
        cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:]))]
        print("  " + "  ".join(cells).rstrip(), flush=True)
