"""A lab with the usual ports, in a name space that lasts: programs which know nothing of labs run in it as they are."""

import os
import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from .postern import program
from .processes import Process, eventually, run

ZONE = "example"            # the one that others may add records to


def need_name_spaces():
    if os.geteuid() != 0:
        pytest.skip("a network name space needs root")
    for tool, package in (("nsenter", "util-linux"), ("drill", "ldnsutils"), ("ldns-signzone", "ldnsutils")):
        if not shutil.which(tool):
            pytest.skip(f"{tool} ({package}) is not installed")


class Inside:
    """with Inside(directory) as lab: lab.run("posttls-finger", "dane-ee.lab.example")"""

    def __init__(self, directory):
        self.directory = Path(directory)
        self.conf = self.directory / "lab.conf"
        self.ca = self.directory / "ca.pem"
        self.trust_anchor = self.directory / "root.key"
        self.dns = ("127.0.0.1", 53)
        self.ports = {"smtp": 25, "https": 443, "dns": 53}
        self.log = self.directory.with_name(self.directory.name + ".log")
        self.holder = None

    def __enter__(self):
        # It lasts as long as its command, which lasts until its input ends.
        self.holder = Process([program(), "lab", "run", "--directory", self.directory, "--",
                               "sh", "-c", "echo inside=$$; exec cat"], self.log, stdin=subprocess.PIPE)
        self.holder.wait_for("inside=", 90)
        self.pid = eventually(lambda: re.search(r"inside=(\d+)\n", self.holder.text()))[1]
        return self

    def __exit__(self, *_):
        self.holder.running.stdin.close()
        assert self.holder.wait(30) == 0, self.holder.text()

    def command(self, *arguments):
        return ["nsenter", "-t", self.pid, "-n", "-m", "-r", "--", *arguments]     # -r: it may live in a chroot

    def environment(self):
        return {**os.environ, "SSL_CERT_FILE": str(self.ca), "LAB_CA": str(self.ca)}

    def run(self, *arguments, seconds=60, **options):
        return run(self.command(*arguments), seconds, env=self.environment(), **options)

    def start(self, arguments, log):
        return Process(self.command(*arguments), log, env=self.environment())

    def run_each(self, subjects, command, together=8, **options):
        """{subject: what came of command(subject)}, a few at a time."""
        with ThreadPoolExecutor(together) as pool:
            return dict(zip(subjects, pool.map(lambda subject: self.run(*command(subject), **options), subjects)))

    def wait_for_port(self, process, address, port=25):
        """Until the process, or one that it started, takes connections inside."""
        def answers():
            return self.run("bash", "-c", f"exec 3<>/dev/tcp/{address}/{port}").returncode == 0
        eventually(lambda: answers() or not process.alive(), 30, f"{process.arguments} answers", every=0.2)
        assert process.alive(), process.text()

    # --- records of others -------------------------------------------------------

    def publish(self, records):
        """Add lines to the zone `example`, sign it again, and wait until it is served. No name of it may have
        been asked for before: that it did not exist would be remembered."""
        file = self.directory / "zones" / ZONE
        text = file.read_text()
        serial = int(re.search(r"\sSOA\s+\S+\s+\S+\s+(\d+)", text)[1]) + 1
        text = re.sub(r"(\sSOA\s+\S+\s+\S+\s+)\d+", rf"\g<1>{serial}", text)
        file.write_text(text + "".join(f"{line}\n" for line in records))
        keys = [path.with_suffix("") for path in sorted((self.directory / "keys").glob(f"K{ZONE}.+*.private"))]
        assert len(keys) == 2, keys
        signed = run(["ldns-signzone", "-o", ZONE, "-f", f"{file}.signed", file, *keys])
        assert signed.returncode == 0, signed.stderr
        os.kill(int((self.directory / "nsd.pid").read_text()), 1)       # SIGHUP: read the zones again
        address, port = re.search(r"ip-address: ([\d.]+)@(\d+)", (self.directory / "nsd.conf").read_text()).groups()
        eventually(lambda: f" {serial} " in self.run("drill", "-p", port, f"@{address}", "SOA", ZONE).stdout, 20,
                   "the new zone is served", every=0.2)
