"""Fixtures of the system tests: a town with a gate (postern), a name server, an authority and mail hosts."""

import contextlib
import os
import shutil
import tempfile
from pathlib import Path

import pytest

from harness.certificates import Authority
from harness.lab import Lab
from harness.nameserver import NameServer
from harness.postern import Postern, program
from harness.sink import Sink


@contextlib.contextmanager
def directory(purpose):
    """A temporary directory which other accounts may enter; KEEP=1 keeps it."""
    path = Path(tempfile.mkdtemp(prefix=f"postern-{purpose}-"))
    path.chmod(0o755)
    yield path
    if os.environ.get("KEEP") != "1":
        shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def place():
    with directory("test") as path:
        yield path


@pytest.fixture(scope="module")
def shared_place():
    """For what several tests of one file use."""
    with directory("shared") as path:
        yield path


@pytest.fixture(scope="session")
def authority():
    with directory("authority") as path:
        yield Authority(path)


@pytest.fixture(scope="session")
def our_certificate(authority):
    return authority.issue("mx.example.org")


@pytest.fixture(scope="session")
def sink_certificate(authority):
    return authority.issue("sink.example.net", "*.hosts.example.net")


@pytest.fixture(scope="module")
def lab(shared_place):
    """A small internet (postern lab), for all tests of a file."""
    with Lab(shared_place / "lab") as running:
        yield running


@pytest.fixture
def dns():
    server = NameServer()
    yield server
    server.close()


@pytest.fixture
def sink(sink_certificate):
    """A polite mail server which offers STARTTLS."""
    server = Sink(sink_certificate)
    yield server
    server.close()


@pytest.fixture
def new_sink(sink_certificate):
    """More of them: new_sink(address="127.0.0.3", port=sink.port)"""
    made = []

    def make(certificate=sink_certificate, **settings):
        made.append(Sink(certificate, **settings))
        return made[-1]
    yield make
    for server in made:
        server.close()


@pytest.fixture
def new_postern(place, dns, our_certificate, authority):
    """Instances not yet started, for tests that change the configuration first."""
    if program() is None:
        pytest.fail("no postern binary: build it, or set POSTERN")
    made = []

    def make(name="postern"):
        made.append(Postern(place / name, dns, our_certificate, trusts=authority.file))
        return made[-1]
    yield make
    for instance in made:
        instance.stop(seconds=0.3)


@pytest.fixture
def postern(new_postern):
    """One instance, not yet started."""
    return new_postern()


@pytest.fixture
def gate(postern):
    """The same, running."""
    return postern.start()


@pytest.fixture
def peers(place):
    """Stops every real mail server that a test started."""
    started = []
    yield started
    for peer in reversed(started):
        peer.stop()


def pytest_configure(config):
    # Old protocols are spoken on purpose.
    config.addinivalue_line("filterwarnings", "ignore:ssl.TLSVersion:DeprecationWarning")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Show the end of every log in the test's directory when the test fails."""
    report = (yield).get_result()
    path = getattr(item, "funcargs", {}).get("place")
    if report.when == "call" and report.failed and path:
        for log in sorted(path.glob("**/log*")):
            if log.is_file():
                report.sections.append((f"{log.relative_to(path)}", log.read_text(errors="replace")[-6000:]))
