"""What must not stand still because somebody else does."""

import socket
import sqlite3
import struct
import time

import pytest

from harness.mail import letter
from harness.policyhost import policy
from harness.postern import Postern
from harness.processes import eventually
from harness.stsdomain import DOMAIN, HOST, sink, web      # noqa: fixtures


@pytest.fixture
def mute(web):
    """A policy host that takes connections and never says a word."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.9", web.port))
        listener.listen(100)
        yield "127.0.0.9"


def test_policy_hosts_that_stall_do_not_take_the_turn_of_the_others(postern, dns, sink, web, mute, authority):
    """A score of domains whose policy hosts stall; then one whose policy forbids this very host (MTASTS-032, -063)."""
    dns.mail_hosts(DOMAIN, (HOST, sink.address))
    dns.set(f"_mta-sts.{DOMAIN}", "TXT", '"v=STSv1; id=one"')
    dns.set(f"mta-sts.{DOMAIN}", "A", web.address)
    web.body = policy("elsewhere.example.net")
    stalled = [f"stall{n}.example.com" for n in range(20)]
    for name in stalled:
        dns.mail_hosts(name, (HOST, sink.address))
        dns.set(f"_mta-sts.{name}", "TXT", '"v=STSv1; id=one"')
        dns.set(f"mta-sts.{name}", "A", mute)
    postern.deliver_by_mx_to(sink)
    postern.outbound = 1
    postern.delivery["ca-file"] = authority.file
    postern.sts = {"port": web.port, "ca-file": authority.file, "patience": 5, "fetch-time": 60}
    postern.start()
    for name in stalled:
        postern.hand_in(letter(name), f"carol@{name}")
    eventually(lambda: len(postern.events("delivery.sent")) == len(stalled), 20)
    postern.hand_in(letter("held"), f"carol@{DOMAIN}")
    event = eventually(lambda: [e for e in postern.events() if e.get("to") == f"carol@{DOMAIN}"
                                and e["event"] in ("delivery.sent", "delivery.deferred")], 20)[0]
    assert event["event"] == "delivery.deferred", event
    assert web.requests


def kept(fetched, refresh, max_age):
    """What policy/mta_sts.h keeps of a policy: id, times, text."""
    text = policy("*.lab.example", max_age=max_age).encode()
    return (bytes([1]) + struct.pack(">I", 3) + b"old" + struct.pack(">QQQ", fetched, refresh, 0) +
            struct.pack(">I", len(text)) + text)


def test_expired_policies_do_not_stand_in_the_way_of_those_that_are_due(lab, place, our_certificate, authority):
    """MTASTS-081: the store gives out fifty at a time, those that are due for longest first."""
    now, day = int(time.time() * 1000), 86400 * 1000
    rows = [(f"gone{n}.lab.example", now - 9 * day, kept(now - 10 * day + n, now - 9 * day, 86400)) for n in range(60)]
    rows.append(("sts-enforce.lab.example", now - 1000, kept(now - day, now - 1000, 7 * 86400)))
    gate = Postern(place / "gate", None, our_certificate, trusts=authority.file).live_in(lab)
    gate.outbound = 1
    gate.start()
    gate.stop()
    with sqlite3.connect(gate.data / "queue.db") as database:
        database.executemany("INSERT INTO note(kind, key, due, value) VALUES(1, ?, ?, ?)", rows)
    database.close()
    gate.start()
    eventually(lambda: gate.events("sts.policy", domain="sts-enforce.lab.example"), 100, "it is refreshed")
    gate.stop()
