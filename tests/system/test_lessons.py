"""Faults that a review found in postern itself, each kept from coming back."""

import os
import time

from harness.dialogue import Dialogue
from harness.mail import letter
from harness.processes import eventually
from harness.sink import HANG_UP, SILENCE


def open_sockets(pid):
    links = (f"/proc/{pid}/fd/{fd}" for fd in os.listdir(f"/proc/{pid}/fd"))
    return sum(os.readlink(link).startswith("socket:") for link in links if os.path.islink(link))


def test_a_deferral_to_an_address_literal_leaves_no_socket_behind(postern, new_sink):
    sink = new_sink(None, address="127.0.0.5")
    postern.outbound = 1
    postern.delivery["idle-connection"] = 60
    postern.deliver_by_mx_to(sink)
    postern.start()
    (pid,) = postern.workers("outbound").values()
    postern.hand_in(letter(), recipient="user@[127.0.0.5]")
    sink.wait(1)
    sockets = open_sockets(pid)
    sink.answer("RCPT", "450 4.2.1 not now")
    for _ in range(6):
        postern.hand_in(letter(), recipient="user@[127.0.0.5]")
    eventually(lambda: len(postern.events("delivery.deferred")) == 6, 10, "six deferrals")
    assert open_sockets(pid) <= sockets + 1


def test_a_lost_reply_to_the_final_dot_is_not_tried_at_the_next_host_at_once(postern, dns, new_sink):
    first = new_sink(None, address="127.0.0.2")
    second = new_sink(None, address="127.0.0.3", port=first.port)
    dns.mail_hosts("example.net", ("mx1.example.net", "127.0.0.2"), ("mx2.example.net", "127.0.0.3"))
    postern.deliver_by_mx_to(first)
    postern.retry["first"] = postern.retry["most"] = 600
    first.answer("END", HANG_UP)
    postern.start()
    postern.hand_in(letter())
    eventually(lambda: postern.events("delivery.deferred"), 10, "the deferral")
    time.sleep(0.5)
    assert not second.sessions                          # SMTP-017: a retry, but not a second copy at once


def test_a_session_that_fell_back_to_clear_text_serves_one_message(postern, new_sink):
    sink = new_sink()
    sink.starttls = "garbage"
    postern.relay_to(sink)
    postern.delivery["cleartext-after"] = 2
    postern.delivery["idle-connection"] = 30
    postern.start()
    postern.hand_in(letter(subject="old"))
    sink.wait(1, 20)
    sink.starttls = "offered"
    postern.hand_in(letter(subject="fresh"))
    sink.wait(2, 20)
    assert sink.deliveries[0].tls is None
    assert sink.deliveries[1].tls                       # PD-32


def test_slow_hosts_of_a_stranger_hold_up_nobody_else(postern, dns, new_sink):
    tarpit = new_sink(None)
    tarpit.answer("CONNECT", SILENCE)
    for i in range(7):
        dns.mail_hosts(f"slow{i}.example", (f"mx.slow{i}.example", "127.0.0.2"))
    postern.deliver_by_mx_to(tarpit)
    postern.outbound = 1
    postern.start()
    for i in range(7):
        with Dialogue(postern.submission_port) as client:
            client.hello()
            client.starttls()
            for n in range(45):
                assert client.message(letter(), "friend@example.org", f"user{n}@slow{i}.example").code == 250
    with Dialogue(postern.port) as client:
        client.hello("client.example.net")
        assert client.message(letter(subject="honest"), "friend@example.net", "bob@example.org").code == 250
    eventually(lambda: postern.mailbox(), 10, "honest mail in the mailbox")


def test_a_thousand_failures_with_long_words_still_bounce(postern, dns, new_sink):
    sinks = [new_sink(None, address="127.0.0.2")]
    sinks += [new_sink(None, address=f"127.0.0.{i}", port=sinks[0].port) for i in (3, 4)]
    dns.mail_hosts("example.net", *[(f"mx{i}.example.net", sink.address) for i, sink in enumerate(sinks)])
    postern.deliver_by_mx_to(sinks[0])
    for sink in sinks[:-1]:
        sink.answer("RCPT", "450 4.2.1 " + "This user gets mail faster than anybody can read it, and must rest. " * 15)
    sinks[-1].answer("RCPT", "550 5.1.1 " + "Nobody of that name lives here, as the manual of this server says. " * 15)
    postern.start()
    postern.hand_in(letter(), "user0@example.net", "alice@example.org", [f"user{i}@example.net" for i in range(1, 1000)])
    eventually(lambda: postern.events("bounce.queued"), 40, "the bounce")
    eventually(lambda: postern.mailbox(), 10, "the bounce in the sender's mailbox")
