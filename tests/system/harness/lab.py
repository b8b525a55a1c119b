"""The lab of `postern lab up`: a small internet with every case of the TLS policy, for the tests of a module."""

import json
import os
import re
from email import message_from_bytes
from pathlib import Path

import dns.message
import dns.query
import dns.rcode
import dns.rdatatype

from .postern import program
from .processes import Process, run

TOP = "lab.example"


def cases():
    """The table that `postern lab list` shows: {"dane-ee.lab.example": {"outcome": ..., "spec": ...}}"""
    ended = run([program(), "lab", "list", "--json"])
    assert ended.returncode == 0, ended.stderr
    rows = [json.loads(line) for line in ended.stdout.splitlines()]
    return {row["domain"]: row for row in rows}


def domain_of(case):
    """The domain in full: "dane-ee" and "dane-ee.lab.example" are the same."""
    return case if case.endswith("." + TOP) else f"{case}.{TOP}"


class Letter:
    """A message that a mail host of the lab took."""

    def __init__(self, path):
        self.path = path
        self.bytes = path.read_bytes()
        self.message = message_from_bytes(self.bytes)
        self.sender = self.message["Return-Path"].strip("<>")
        self.recipients = self.message.get_all("Delivered-To", [])
        self.received = re.sub(r"\s+", " ", self.message.get_all("Received")[0])
        self.host = re.search(r"by (\S+)", self.received)[1]
        self.encrypted = "with ESMTPS" in self.received
        self.server_name = self.message["X-Lab-Server-Name"] or ""
        self.requiretls = self.message["X-Lab-Asked-For"] == "REQUIRETLS"


class Lab:
    """with Lab(directory) as lab: ... lab.conf, lab.dns, lab.mail("dane-ee"), lab.attack("dane-ee", "strip")"""

    def __init__(self, directory, *options, base="127.77.0.0"):
        self.directory = Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.conf = self.directory / "lab.conf"         # to be included in a postern.conf
        self.ca = self.directory / "ca.pem"
        self.trust_anchor = self.directory / "root.key"
        (self.directory / "log").unlink(missing_ok=True)        # of a lab that was here before
        self.process = Process([program(), "lab", "up", "--directory", self.directory, "--base-address", base,
                                "--smtp-port", "0", "--https-port", "0", "--dns-port", "0", *options],
                               self.directory / "log")
        self.services = {}                              # name -> (address, port)
        self.dns = self.ports = None

    def __enter__(self):
        self.process.wait_for("lab: ready", 60)
        for kind, address, port, what in re.findall(r"^(\w+) +([\d.]+):(\d+) +(.+)$", self.process.text(), re.MULTILINE):
            name = "resolver" if what.startswith("resolver") else what
            self.services.setdefault(name, (address, int(port)))
            if kind in ("smtp", "https"):
                self.ports = {**(self.ports or {}), kind: int(port)}
        self.dns = self.services["resolver"]            # (address, port) of a validating resolver
        self.ports["dns"] = self.dns[1]
        return self

    def __exit__(self, *_):
        assert self.process.stop() == 0, self.process.text()

    def include(self):
        """The line for a postern.conf that makes the lab its world."""
        return f'include("{self.conf}")'

    def host(self, name):
        """(address, port) of a mail host or policy host: "mx.dane-ee" """
        return self.services[domain_of(name)]

    def ask(self, name, kind, check=True):
        """The resolver's answer; check=False asks it not to validate."""
        query = dns.message.make_query(name, kind, want_dnssec=True)
        if not check:
            query.flags |= dns.flags.CD
        address, port = self.dns
        reply, _ = dns.query.udp_with_fallback(query, address, timeout=10, port=port)
        return reply

    def mail(self, case):
        """What the hosts of a domain have taken so far, oldest first."""
        folder = self.directory / "mail" / domain_of(case)
        return [Letter(path) for path in sorted(folder.glob("*.eml"), key=lambda p: int(p.stem))]

    def attack(self, case, kind):
        """Put an attacker in front of a domain's hosts, from the next connection on; "none" ends it."""
        attacks = self.directory / "attacks"
        lines = [line for line in attacks.read_text().splitlines() if line.split()[0] != domain_of(case)]
        fresh = attacks.with_suffix(".new")
        fresh.write_text("".join(f"{line}\n" for line in [*lines, f"{domain_of(case)} {kind}"]))
        os.rename(fresh, attacks)


def laboratory(*command, seconds=120, **options):
    """`postern lab run -- COMMAND`: real tools with real ports; needs root."""
    return run([program(), "lab", "run", "--", *command], seconds, **options)
