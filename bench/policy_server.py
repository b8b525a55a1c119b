"""bench/run postfix: answers to Postfix beside those of postfix-mta-sts-resolver, which Debian has.

Both live in the lab (`postern lab run`), have looked at the same domains before, and are asked by the same client
(bench/asker.c) by turns. What is measured is the CPU of the process that answers, and how long an answer takes."""

import json
import os
import shutil
import sys
from pathlib import Path

from measure import Tree, median, table
from relays import Failure

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests/system"))

CONNECTIONS = 20
DOMAINS = [f"{name}.lab.example" for name in ("sts-enforce", "sts-unsigned", "sts-wildcard", "sts-backup", "sts-testing", "may")]
SHARE, SLOWEST_US = 5, 1000         # at most a fifth of the CPU of the peer; 99 of 100 answers in a millisecond

PEER = """
host: 127.0.0.1
port: 8461
cache:
  type: internal
  options:
    cache_size: 10000
default_zone:
  strict_testing: false
  timeout: 10
"""


class Server:
    """One that answers: `name`, the process whose CPU counts, where it listens, and what its map is called."""

    def __init__(self, name, lab, asker, pid, address, map_name):
        self.name, self.lab, self.asker, self.pid, self.address, self.map = name, lab, asker, pid, address, map_name
        self.rounds = []

    def ask(self, questions):
        done = self.lab.run(self.asker, "-c", str(CONNECTIONS), "-n", str(questions), "-m", self.map, self.address, *DOMAINS,
                            seconds=300)
        if done.returncode:
            raise Failure(f"{self.name}: {done.stderr}")
        return json.loads(done.stdout)

    def round(self, questions):
        before = Tree(self.pid).cpu()
        said = self.ask(questions)
        said["cpu_us"] = (Tree(self.pid).cpu() - before) / questions * 1e6
        self.rounds.append(said)

    def middle(self, figure):
        return median([said[figure] for said in self.rounds])


def start_peer(lab, place, asker):
    conf = place / "mta-sts-daemon.yml"
    conf.write_text(PEER)
    process = lab.start(["mta-sts-daemon", "-c", str(conf)], place / "log.peer")
    lab.wait_for_port(process, "127.0.0.1", 8461)
    return process, Server("postfix-mta-sts-resolver", lab, asker, process.pid, "127.0.0.1:8461", "postfix")


def start_ours(lab, place, asker):
    from harness.postern import Postern
    from harness.processes import command_line, descendants

    ours = Postern(place / "postern", None, None).live_in(lab)
    ours.inside = lab
    ours.level = "warning"
    ours.sections["postfix"] = {"socketmap": ["127.0.0.1:8471"]}
    ours.start(wait=False)
    lab.wait_for_port(ours.process, "127.0.0.1", 8471)
    pid = next(pid for pid in descendants(ours.process.pid) if command_line(pid).endswith("policy"))
    return ours, Server("postern", lab, asker, pid, "127.0.0.1:8471", "QUERY")


def compare(servers, say, problem):
    def row(title, figure, form):
        ours, theirs = (server.middle(figure) for server in servers)
        better = theirs / ours if figure != "per_second" else ours / theirs
        return [title, format(ours, form), format(theirs, form), f"{better:.1f}x"]

    table(["", *(server.name for server in servers), "better by"],
          [row("answers/s", "per_second", ".0f"), row("us of CPU an answer", "cpu_us", ".1f"),
           row("us until half are there", "p50_us", ".0f"), row("us until 99 % are there", "p99_us", ".0f")])
    ours, theirs = servers
    if ours.middle("cpu_us") * SHARE > theirs.middle("cpu_us"):
        problem(f"an answer costs more than a {SHARE}th of the peer's")
    if ours.middle("p99_us") > SLOWEST_US:
        problem(f"one answer in a hundred takes more than {SLOWEST_US} us")
    say()


def policy_server_part(build, place, say, problem, rounds, questions):
    from harness.inside import Inside, need_name_spaces

    if not shutil.which("mta-sts-daemon"):
        raise Failure("mta-sts-daemon is missing: scripts/install-packages test brings it")
    need_name_spaces()
    os.environ["POSTERN"] = str(build / "src/cli/postern")
    folder = place / "postfix"
    folder.mkdir()
    say(f"Answers to Postfix: {CONNECTIONS} connections, {len(DOMAINS)} domains that both know, {rounds} rounds of {questions}")
    with Inside(folder / "lab") as lab:
        peer, theirs = start_peer(lab, folder, build / "bench/bench-asker")
        try:
            program, ours = start_ours(lab, folder, build / "bench/bench-asker")
            try:
                for server in (ours, theirs):
                    server.ask(1000)
                for _ in range(rounds):
                    ours.round(10 * questions)
                    theirs.round(questions)
            finally:
                program.stop()
        finally:
            peer.stop()
    compare((ours, theirs), say, problem)
