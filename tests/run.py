#!/usr/bin/python3
"""Build every flavour, run every test, count.

    tests/run.py [STAGE...]     build tree unit valgrind fuzz install system; all without arguments

One line for each program, failures with their output, and at the end the line
"N passed, N failed". tests/README.md says what the stages are. FUZZ_SECONDS
(default 3) is what each fuzzer gets.
"""

import concurrent.futures
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
PYTHON = "/usr/bin/python3"     # Debian's: it has the packages that packages.txt names
FLAVOURS = ["build", "build-release", "build-clang", "build-debug", "build-asan", "build-fuzz"]
NEEDED = {"unit": ["build-asan"], "valgrind": ["build-debug"], "fuzz": ["build-fuzz"], "install": ["build-release"],
          "system": ["build", "build-debug"]}       # the latter for programs that only tests have
FUZZ_SECONDS = int(os.environ.get("FUZZ_SECONDS", "3"))
FUZZ_CORPUS = "tests/fuzz/corpus"

ENVIRONMENT = dict(
    os.environ,
    ASAN_OPTIONS="strict_string_checks=1:check_initialization_order=1",
    UBSAN_OPTIONS="print_stacktrace=1",
    PYTHONDONTWRITEBYTECODE="1",
    LC_ALL="C.UTF-8",
)


class Tally:
    """What was counted, and the lines on the terminal."""

    def __init__(self):
        self.passed = self.failed = self.skipped = 0
        self.terminal = sys.stdout.isatty()

    def progress(self, text):
        if self.terminal:
            width = shutil.get_terminal_size().columns - 1
            print("\r\x1b[K" + text[:width], end="", flush=True)

    def add(self, stage, name, passed, failed, skipped=0, seconds=0.0, note="", output=""):
        passed, failed = int(passed), int(failed)       # a truth counts as one
        self.passed += passed
        self.failed += failed
        self.skipped += skipped
        counts = [f"{passed} passed"]
        if failed:
            counts.append(f"{failed} failed")
        if skipped:
            counts.append(f"{skipped} skipped")
        self.progress("")
        print(f"{'FAIL' if failed else ' ok '}  {stage:<9}{name:<34}{', '.join(counts)}"
              f"  {seconds:.1f} s{'  ' + note if note else ''}", flush=True)
        if failed:
            print("".join(f"      | {line}\n" for line in output.rstrip().splitlines()), flush=True)

    def close(self):
        self.progress("")
        skipped = f", {self.skipped} skipped" if self.skipped else ""
        print(f"{self.passed} passed, {self.failed} failed{skipped}", flush=True)
        return 1 if self.failed or not self.passed else 0


class Ended:
    """A program that ran: its exit code (None: out of time), output, seconds."""

    def __init__(self, code, output, seconds):
        self.code, self.output, self.seconds = code, output, seconds

    def how(self):
        if self.code is None:
            return "was killed after its time limit"
        return f"was killed by signal {-self.code}" if self.code < 0 else f"exited with status {self.code}"


running = set()     # process groups


def kill_group(group):
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


def run(command, limit, each_line=None):
    """Run in a process group of its own, of which nothing stays behind."""
    began = time.monotonic()
    process = subprocess.Popen([str(word) for word in command], cwd=TOP, env=ENVIRONMENT, text=True, errors="replace",
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               start_new_session=True)
    running.add(process.pid)
    watchdog = threading.Timer(limit, kill_group, [process.pid])
    watchdog.start()
    lines = []
    for line in process.stdout:
        lines.append(line)
        if each_line:
            each_line(line)
    code = process.wait()
    watchdog.cancel()
    kill_group(process.pid)
    running.discard(process.pid)
    seconds = time.monotonic() - began
    return Ended(None if seconds >= limit else code, "".join(lines), seconds)


def interrupted(number, _frame):
    for group in list(running):
        kill_group(group)
    os._exit(128 + number)


def in_parallel(jobs):
    """Yield the results of the functions as they end; one function for each core at a time."""
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for done in concurrent.futures.as_completed([pool.submit(job) for job in jobs]):
            yield done.result()


# --- build -----------------------------------------------------------------

def build(tally, flavours):
    for flavour in flavours:
        tally.progress(f"building {flavour}")
        ended = run(["scripts/build", flavour], 1800)
        tally.add("build", flavour, ended.code == 0, ended.code != 0, seconds=ended.seconds, output=ended.output)


# --- unit tests --------------------------------------------------------------

CMOCKA_TOTAL = re.compile(r"^\[  (FAILED|SKIPPED) +\] (?:\S+: )?(\d+) test", re.MULTILINE)
CMOCKA_PASSED = re.compile(r"^\[ +OK \] ", re.MULTILINE)
CMOCKA_DULL = re.compile(r"^\[( RUN  |==|  PASSED| +OK).*\n", re.MULTILINE)


def unit_programs(flavour, leave_out):
    """The tests that meson knows in this build folder, the name with its command."""
    listing = json.loads((TOP / flavour / "meson-info" / "intro-tests.json").read_text())
    return [(test["name"], test["cmd"]) for test in listing if test["name"] not in leave_out]


def count_cmocka(ended):
    totals = {verdict: int(number) for verdict, number in CMOCKA_TOTAL.findall(ended.output)}
    failed = totals.get("FAILED", 0)
    if ended.code != 0 and not failed:      # e.g. a crash, or a leak found at the end
        failed = 1
    return len(CMOCKA_PASSED.findall(ended.output)), failed, totals.get("SKIPPED", 0)


def run_units(tally, stage, flavour, wrapper, limit, count, leave_out=()):
    programs = unit_programs(flavour, leave_out)
    jobs = [lambda name=name, command=command: (name, run(wrapper + command, limit)) for name, command in programs]
    tally.progress(f"{stage}: {len(jobs)} programs")
    if not jobs:
        tally.add(stage, "none", 0, 1, output=f"{flavour} has no tests")
    for done, (name, ended) in enumerate(in_parallel(jobs), 1):
        passed, failed, skipped = count(ended)
        if not passed + failed + skipped:
            failed, ended.output = 1, ended.output + "it ran no test\n"
        tally.add(stage, name, passed, failed, skipped, ended.seconds,
                  output=f"{CMOCKA_DULL.sub('', ended.output)}{name} {ended.how()}")
        tally.progress(f"{stage}: {done} of {len(jobs)} programs")


def stage_unit(tally):
    run_units(tally, "unit", "build-asan", [], 300, count_cmocka)


NOT_UNDER_VALGRIND = {
    "net/listen": "runs out of descriptors, and valgrind keeps that limit itself",
    "run/process": "as net/listen",
    "serve/hook_call": "as run/program",
    "run/program": "valgrind makes a fork of posix_spawn's vfork, which cannot tell why a program did not start",
    "run/sandbox": "valgrind does not know landlock and seccomp",
    "queue/crash": "stops and starts a queue thousands of times: minutes",
    "queue/fault": "as queue/crash",
    "queue/kill": "needs the speed of the machine",
    "tlsrpt/letter": "reads hostile messages of 10 MiB: minutes",
}


def stage_valgrind(tally):
    # Leaks are the sanitizer's business; valgrind sees reads of what was never written.
    valgrind = ["valgrind", "--quiet", "--error-exitcode=99", "--leak-check=no", "--num-callers=30"]
    run_units(tally, "valgrind", "build-debug", valgrind, 600, lambda ended: (ended.code == 0, ended.code != 0, 0),
              NOT_UNDER_VALGRIND)


# --- fuzzers -------------------------------------------------------------------

FUZZER_DULL = re.compile(r"^(INFO: |#\d+\t).*\n", re.MULTILINE)


def fuzz(program):
    name = program.name.removesuffix("_fuzz")
    seeds = TOP / FUZZ_CORPUS / name
    finds = TOP / "build-fuzz" / "corpus" / name
    crashes = TOP / "build-fuzz" / "found"
    dictionary = TOP / "tests/fuzz" / f"{name}.dict"
    for folder in (finds, crashes):
        folder.mkdir(parents=True, exist_ok=True)
    command = [program, f"-max_total_time={FUZZ_SECONDS}", "-timeout=10", "-rss_limit_mb=2048",
               f"-artifact_prefix={crashes}/{name}-"]
    if dictionary.exists():
        command.append(f"-dict={dictionary}")
    command.append(finds)           # the first folder is where new finds go
    if seeds.exists():
        command.append(seeds)
    ended = run(command, FUZZ_SECONDS + 300)
    found = FUZZER_DULL.sub("", ended.output)
    return name, ended, f"{found}{name} {ended.how()}"


def stage_fuzz(tally):
    programs = sorted((TOP / "build-fuzz/tests/fuzz").glob("*_fuzz"))
    tally.progress(f"fuzz: {len(programs)} fuzzers, {FUZZ_SECONDS} s each")
    if not programs:
        tally.add("fuzz", "none", 0, 1, output="build-fuzz has no fuzzer")
    for name, ended, found in in_parallel([lambda program=program: fuzz(program) for program in programs]):
        runs = re.search(r"^Done (\d+) runs", ended.output, re.MULTILINE)
        tally.add("fuzz", name, ended.code == 0, ended.code != 0, seconds=ended.seconds,
                  note=f"{runs[1]} inputs" if runs else "", output=found)


# --- pytest ----------------------------------------------------------------------

VERDICT = re.compile(r"^\S+\.py::.+? (PASSED|FAILED|ERROR|SKIPPED|XFAIL|XPASS)\b", re.MULTILINE)
SKIP_REASON = re.compile(r"^SKIPPED \[\d+\] (.*)", re.MULTILINE)


PYTEST = [PYTHON, "-u", "-m", "pytest", "-v", "-rs", "--tb=short", "--color=no", "--disable-warnings", "-p", "no:cacheprovider",
          "--rootdir", TOP, "-o", "python_files=*_test.py test_*.py"]


def report_pytest(tally, stage, name, ended):
    verdicts = [match[1] for match in VERDICT.finditer(ended.output)]
    skipped = verdicts.count("SKIPPED")
    passed = verdicts.count("PASSED") + verdicts.count("XFAIL")
    failed = len(verdicts) - passed - skipped
    if ended.code != 0 and not failed:      # it never came to a test, or did not end
        failed = 1
    start = re.search(r"^=+ (ERRORS|FAILURES) =+$", ended.output, re.MULTILINE)
    details = ended.output[start.start():] if start else ended.output
    tally.add(stage, name, passed, failed, skipped, ended.seconds, output=f"{details}pytest {ended.how()}")
    for reason in SKIP_REASON.findall(ended.output):
        print(f"      skipped: {reason}", flush=True)


def run_pytest(tally, stage, path, limit):
    tally.progress(f"{stage}: {path}")
    report_pytest(tally, stage, Path(path).name, run(PYTEST + [path], limit))


def stage_tree(tally):
    run_pytest(tally, "tree", "tests/tree_test.py", 300)


def stage_install(tally):
    run_pytest(tally, "install", "tests/install_test.py", 300)


# System tests mostly wait. One process for each file, as many at once as there are cores; the longest begin first.
LONGEST_FIRST = ["test_delivery.py", "test_policy.py", "test_oracles.py", "test_failures.py", "test_hostile.py", "test_life.py"]


def stage_system(tally):
    files = sorted((TOP / "tests/system").glob("test_*.py"))
    files.sort(key=lambda path: LONGEST_FIRST.index(path.name) if path.name in LONGEST_FIRST else len(LONGEST_FIRST))
    jobs = [lambda path=path: (path.name, run(PYTEST + [path], 1200)) for path in files]
    tally.progress(f"system: {len(jobs)} files")
    for done, (name, ended) in enumerate(in_parallel(jobs), 1):
        report_pytest(tally, "system", name, ended)
        tally.progress(f"system: {done} of {len(jobs)} files")


STAGES = {
    "build": lambda tally: None,        # main has built everything by then
    "tree": stage_tree,
    "unit": stage_unit,
    "valgrind": stage_valgrind,
    "fuzz": stage_fuzz,
    "install": stage_install,
    "system": stage_system,
}


def main(wanted):
    unknown = [name for name in wanted if name not in STAGES]
    if unknown:
        print(f"tests/run.py: no stage {' '.join(unknown)}; there are {' '.join(STAGES)}", file=sys.stderr)
        return 2
    signal.signal(signal.SIGINT, interrupted)
    signal.signal(signal.SIGTERM, interrupted)
    tally = Tally()
    wanted = wanted or list(STAGES)
    build(tally, FLAVOURS if "build" in wanted else dict.fromkeys(flavour for name in wanted for flavour in NEEDED.get(name, [])))
    if not tally.failed:                # what is not built cannot be tested
        for name in wanted:
            STAGES[name](tally)
    return tally.close()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
