"""What ARCHITECTURE.md and the house style promise of the tree, checked by reading the files."""

import re
import subprocess
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parent.parent

# Each room may use itself and the rooms before it.
ROOMS = ["base", "run", "tls", "net", "dns", "https", "smtp", "message", "dkim", "policy", "discover", "fact",
         "tlsrpt", "queue", "deliver", "lab", "event", "postfix", "web", "serve", "cli"]

# A library's header is seen only where the room of that library is.
LIBRARY_HOMES = {
    r"openssl/": "src/tls/",
    r"uv\.h": "src/run/",
    r"ucontext\.h": "src/run/",
    r"(valgrind|sanitizer)/": "src/run/",
    r"unbound\.h": "src/dns/",
    r"curl/": "src/https/",
    r"jansson\.h": ("src/cli/", "src/tlsrpt/", "src/postfix/"),
    r"zlib\.h": "src/tlsrpt/",
    r"libpsl\.h": "src/tlsrpt/",
    r"microhttpd\.h": "src/web/",
    r"sqlite3\.h": "src/queue/engine/",
}

MAX_FILE_LINES = 600
MAX_FUNCTION_LINES = 70

# Spelt so that this file does not match itself.
UNFINISHED = re.compile(r"\b(TO[D]O|FIX[M]E|X[X]X|HA[C]K)\b")
MACHINE_PATHS = re.compile(r"/wor[k]/|/far[m]/|\.\./share[d]|/home/[a-z]+/|/tmp/buil[d]")


def tracked_files():
    """What belongs to the tree: committed, or new and not ignored; all but the builds in an unpacked archive."""
    if (TOP / ".git").exists():
        listing = subprocess.run(["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others",
                                  "--exclude-standard"], cwd=TOP, capture_output=True, check=True, text=True).stdout
        names = set(listing.split("\0"))
    else:
        names = {str(path.relative_to(TOP)) for path in TOP.rglob("*") if "__pycache__" not in path.parts}
        names = {name for name in names if not re.match(r"build(-[a-z]+)?/", name)}
    return sorted(name for name in names if name and (TOP / name).is_file())


FILES = tracked_files()
CODE = [name for name in FILES if name.endswith((".c", ".h"))]


def text_of(name):
    return (TOP / name).read_text(encoding="utf-8", errors="replace")


def source_text(name):
    """The text, or nothing for what is data: seeds of fuzzers and pictures."""
    return "" if name.startswith("tests/fuzz/corpus/") or name.endswith(".png") else text_of(name)


def includes(name):
    return re.findall(r'^\s*#\s*include\s+[<"]([^>"]+)[>"]', text_of(name), re.MULTILINE)


def complain(rows):
    assert not rows, "\n" + "\n".join(rows)


def test_there_is_a_tree():
    assert len(CODE) > 50 and "meson.build" in FILES


def test_every_room_is_known_and_has_its_readme():
    rooms = {name.split("/")[1] for name in FILES if name.startswith("src/") and name.count("/") > 1}
    assert rooms == set(ROOMS)
    complain([f"src/{room}/README.md is missing" for room in ROOMS if f"src/{room}/README.md" not in FILES])


def test_rooms_include_only_rooms_above_them():
    rows = []
    for name in CODE:
        if not name.startswith("src/"):
            continue
        room = name.split("/")[1]
        for header in includes(name):
            other = header.split("/")[0]
            if other in ROOMS and ROOMS.index(other) > ROOMS.index(room):
                rows.append(f"{name} includes {header}")
            if f"src/{room}/{header}" in FILES and "/" not in header:
                rows.append(f"{name} includes {header} without its room")
    complain(rows)


def test_src_never_includes_tests():
    complain([f"{name} includes {header}" for name in CODE if name.startswith("src/")
              for header in includes(name) if header.startswith("tests/")])


def test_a_librarys_header_is_seen_only_at_its_home():
    complain([f"{name} includes {header}, which belongs to {home}"
              for name in CODE if name.startswith("src/") for header in includes(name)
              for library, home in LIBRARY_HOMES.items()
              if re.match(library, header) and not name.startswith(home)])


def test_every_header_begins_with_its_own_name():
    rows = []
    for name in CODE:
        shown = name.removeprefix("src/")
        if name.endswith(".h") and not re.match(rf"/\* {re.escape(shown)} - .", text_of(name)):
            rows.append(f"{name} does not begin with /* {shown} - what it is")
    complain(rows)


def test_every_header_has_a_guard_of_its_name():
    rows = []
    for name in CODE:
        guard = re.sub(r"[^A-Z0-9]", "_", name.removeprefix("src/").upper())
        if name.endswith(".h") and f"#ifndef {guard}\n#define {guard}\n" not in text_of(name):
            rows.append(f"{name} has no guard {guard}")
    complain(rows)


def test_every_source_file_is_built():
    rows = []
    for name in CODE:
        folder, _, file = name.rpartition("/")
        if not name.endswith(".c"):
            continue
        rest, build = file, folder
        while f"{build}/meson.build" not in FILES:      # a subfolder may be listed by its room
            build, _, part = build.rpartition("/")
            rest = f"{part}/{rest}"
        listed = [rest, rest.removesuffix("_test.c"), rest.removesuffix("_fuzz.c"), rest.removesuffix(".c")]
        if not any(f"'{word}'" in text_of(f"{build}/meson.build") for word in listed):
            rows.append(f"{name} is not listed in {build}/meson.build")
    complain(rows)


def test_every_fuzzer_has_seeds():
    complain([f"{name} has no seeds in tests/fuzz/corpus/{Path(name).name.removesuffix('_fuzz.c')}/"
              for name in CODE if name.endswith("_fuzz.c")
              if not any(seed.startswith(f"tests/fuzz/corpus/{Path(name).name.removesuffix('_fuzz.c')}/")
                         for seed in FILES)])


def test_no_file_is_too_long():
    complain([f"{name} has {lines} lines" for name in FILES
              if (lines := source_text(name).count("\n")) > MAX_FILE_LINES])


def functions(text):
    """Yield name and length of every function whose braces stand on lines of their own."""
    start, head = None, ""
    for number, line in enumerate(text.splitlines(), 1):
        if line == "{" and head.endswith(")"):
            start, name = number, head
        elif line == "}" and start:
            yield name, number - start
            start = None
        if line and not line[0].isspace():
            head = line
        elif line.rstrip().endswith(")") and not start:
            head = line.rstrip()


def test_no_function_is_too_long():
    complain([f"{name}: {lines} lines: {head}" for name in CODE for head, lines in functions(text_of(name))
              if lines > MAX_FUNCTION_LINES])


def test_the_counting_of_lines_counts():
    sample = "int f(int a,\n      int b)\n{\n" + "    a++;\n" * 80 + "}\n\nstruct s {\n    int x;\n};\n"
    assert [lines for _, lines in functions(sample)] == [81]


def test_lines_are_tidy():
    rows = []
    for name in FILES:
        for number, line in enumerate(source_text(name).split("\n"), 1):
            if line != line.rstrip():
                rows.append(f"{name}:{number}: blanks at the end")
            if "\t" in line and name.endswith((".c", ".h", ".py", ".build")):
                rows.append(f"{name}:{number}: a tab")
            if len(line) > 140 and name.endswith((".c", ".h", ".py")):
                rows.append(f"{name}:{number}: {len(line)} columns")
    complain(rows)


@pytest.mark.parametrize("pattern", [UNFINISHED, MACHINE_PATHS], ids=["unfinished", "machine_paths"])
def test_nothing_is_left_lying_about(pattern):
    complain([f"{name}:{number}: {line.strip()}" for name in FILES
              for number, line in enumerate(source_text(name).split("\n"), 1) if pattern.search(line)])


def test_scripts_are_executable_and_parse():
    rows = []
    for name in FILES:
        first = source_text(name).split("\n", 1)[0]
        if not first.startswith("#!"):
            continue
        if not (TOP / name).stat().st_mode & 0o100:
            rows.append(f"{name} is not executable")
        shell = re.match(r"#!(/bin/(?:ba)?sh)\b", first)
        if shell:
            ended = subprocess.run([shell[1], "-n", TOP / name], capture_output=True, text=True, check=False)
            if ended.returncode:
                rows.append(f"{name}: {ended.stderr}")
        elif "python" in first and first != "#!/usr/bin/python3":
            rows.append(f"{name} does not name Debian's python")
    complain(rows)


def test_the_makefile_names_scripts_that_exist():
    complain([f"Makefile names {script}" for script in set(re.findall(r"@((?:scripts|tests)/[\w./-]+)", text_of("Makefile")))
              if script not in FILES])


MAN_PAGES = [name for name in FILES if re.fullmatch(r"man/.+\.[1-8]", name)]


@pytest.mark.parametrize("page", MAN_PAGES)
def test_man_pages_are_without_warnings(page):
    ended = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", page], cwd=TOP, capture_output=True, text=True,
                           check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_packages_are_named_once_in_a_section_with_their_reason():
    rows, seen, section = [], set(), None
    for line in text_of("packages.txt").splitlines():
        if line.startswith("["):
            section = line
        elif line and not line.startswith("#"):
            package = line.split()[0]
            if not re.fullmatch(r"[a-z0-9][a-z0-9.+-]+ +# .+", line):
                rows.append(f"packages.txt: no reason: {line}")
            if (section, package) in seen:
                rows.append(f"packages.txt: twice in {section}: {package}")
            seen.add((section, package))
    complain(rows)


def test_the_page_of_errors_has_the_whole_table():
    rows = re.findall(r'X\((E_\w+),\s+"([\d.]+)",\s+(?:NULL|"([^"]+)"),\s+(RETRY|GIVE_UP)\)', text_of("src/base/error.h"))
    page = re.findall(r"^\| `(E_\w+)` \| ([\d.]+) \| ?(.*?) ?\| (yes|no) \| \S.* \|$", text_of("docs/errors.md"), re.MULTILINE)
    assert len(rows) > 50
    assert page == [(name, status, result, "yes" if remedy == "RETRY" else "no") for name, status, result, remedy in rows]
