"""TLS reports where one receiver is slow, or the store is: everybody else gets theirs, and nobody's is lost."""

import json
import os
import signal
import socket
import subprocess
import time

import pytest

from harness.mail import letter
from harness.processes import eventually

DOMAINS = [f"d{number}.example.net" for number in range(40)]
SLOW = DOMAINS[7]


@pytest.fixture
def tarpit():
    """An HTTPS host that takes connections and says nothing."""
    listener = socket.create_server(("127.0.0.3", 0))
    yield listener.getsockname()[1]
    listener.close()


@pytest.fixture
def tomorrow(place, postern, sink, dns, tarpit):
    """Mail has gone to each domain today; this postern lives in tomorrow, and their reports are due."""
    key = place / "dkim.pem"
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", key], check=True)
    key.chmod(0o644)
    dns.set("slow.example.net", "A", "127.0.0.3")
    for domain in DOMAINS:
        dns.mail_hosts(domain, ("mx.example.net", sink.address))
        rua = f"https://slow.example.net:{tarpit}/" if domain == SLOW else "mailto:reports@d0.example.net"
        dns.set(f"_smtp._tls.{domain}", "TXT", f'"v=TLSRPTv1; rua={rua}"')
    postern.deliver_by_mx_to(sink)
    postern.sections = {'dkim "example.org"': {"selector": "s1", "key": key},
                        "tls-report": {"organization": "Example", "contact": "tls@example.org", "spread": 0,
                                       "private-addresses": True}}
    today = time.strftime("%Y-%m-%d", time.gmtime())
    postern.start()
    for domain in DOMAINS:
        postern.hand_in(letter(), f"bob@{domain}")
    sink.wait(len(DOMAINS), seconds=60)
    time.sleep(3)               # sessions end, and are counted
    assert postern.stop() == 0
    postern.faketime = "+25h"
    return postern.start(), today


def stages(postern, day):
    lines = postern.command("report", "list", "--json", "--day", day, "-c", postern.file).stdout.splitlines()
    return {row["domain"]: row["stage"] for row in map(json.loads, lines)}


def report_domain(delivery):
    """What it is about; None: it is no report."""
    lines = delivery.message.partition(b"\n\n")[0].replace(b"\r", b"").splitlines()
    return next((line for line in lines if line.startswith(b"TLS-Report-Domain:")), None)


def test_a_receiver_that_says_nothing_keeps_only_its_own_report_waiting(tomorrow, sink):
    postern, day = tomorrow
    eventually(lambda: list(stages(postern, day).values()).count("sent") == len(DOMAINS) - 1, 40,
               lambda: f"all others are sent: {stages(postern, day)}", every=1)
    assert stages(postern, day)[SLOW] == "waiting"
    began = time.time()
    assert postern.stop() == 0 and time.time() - began < 15     # though one is under way


def test_a_store_that_stands_still_costs_no_report(tomorrow, sink):
    """TLSRPT-025, -033: what the store does not say is not taken for an answer; and what is tried again has the same id."""
    postern, day = tomorrow
    eventually(lambda: postern.events("report.planned"), 30, "reports are due", every=0.02)
    store, = postern.workers("store").values()
    for _ in range(3):
        os.kill(store, signal.SIGSTOP)
        time.sleep(6)
        os.kill(store, signal.SIGCONT)
        time.sleep(1)
    postern.reload()
    eventually(lambda: list(stages(postern, day).values()).count("sent") == len(DOMAINS) - 1, 60,
               lambda: f"all others are sent: {stages(postern, day)}", every=1)
    about = list(filter(None, map(report_domain, sink.wait(2 * len(DOMAINS) - 1, seconds=30))))
    assert len(set(about)) == len(DOMAINS) - 1 and len(about) == len(set(about)), "once each"
