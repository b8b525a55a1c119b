"""`make install` into an empty folder: what a packager gets."""

import os
import re
import subprocess
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The root of an installation with PREFIX=/opt/postern."""
    root = tmp_path_factory.mktemp("install")
    outside = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    ended = subprocess.run(["make", "install", "PREFIX=/opt/postern", f"DESTDIR={root}"], cwd=TOP, env=outside,
                           capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return root


def test_prefix_and_destdir_are_obeyed(installed):
    files = [str(path.relative_to(installed)) for path in installed.rglob("*") if path.is_file()]
    assert "opt/postern/bin/postern" in files
    assert all(name.startswith("opt/postern/") for name in files), files


def test_the_installed_program_runs_and_says_its_version(installed):
    declared = re.search(r"version: '([^']+)'", (TOP / "meson.build").read_text())[1]
    said = subprocess.run([installed / "opt/postern/bin/postern", "--version"], capture_output=True, text=True,
                          check=True).stdout
    assert said == f"postern {declared}\n"


def test_every_man_page_is_installed(installed):
    pages = sorted(path.name for path in (TOP / "man").glob("*.[1-8]"))
    assert pages
    there = sorted(path.name.removesuffix(".gz") for path in (installed / "opt/postern/share/man").rglob("*.[1-8]*"))
    assert there == pages


def test_only_what_users_need_is_installed(installed):
    """No tests, no headers, no static libraries."""
    odd = [path for path in installed.rglob("*") if path.is_file() and path.suffix in (".a", ".h", ".o", ".py")]
    assert not odd
