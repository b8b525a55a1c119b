"""Mail going out: the dialogue, the TLS levels against every kind of host, and what is sent when."""

import ssl

import pytest

from harness.dialogue import Dialogue
from harness.mail import header, letter, odd_letters, top_received, without_trace
from harness.processes import eventually
from harness.sink import HANG_UP


def hand_in(postern, message, recipient="carol@example.net", sender="alice@example.org", **more):
    """Give postern a message over submission, as a trusted client."""
    with Dialogue(postern.submission_port) as client:
        client.hello()
        client.starttls()
        client.expect(250, f"MAIL FROM:<{sender}>")
        for address in [recipient, *more.get("also", [])]:
            client.expect(250, f"RCPT TO:<{address}>")
        client.expect(354, "DATA")
        client.send(message.replace(b"\r\n.", b"\r\n..") + b".\r\n")
        answer = client.reply()
        assert answer.code == 250, str(answer)


def assert_stays_in_the_queue(postern, sink):
    entry, = postern.wait_until_deferred(1)
    assert not sink.deliveries
    assert "MAIL" not in sink.said_in_clear()
    return entry


# --- an ordinary delivery ---------------------------------------------------


def test_mail_goes_out_over_starttls_byte_for_byte(postern, sink):
    # SMTP-021, -052, STARTTLS-001, -002, -005, -105
    postern.relay_to(sink)
    postern.start()
    sent = letter(body="..\r\nHello.\r\n")
    hand_in(postern, sent)
    got = sink.wait(1)[0]
    assert without_trace(got.message) == sent
    assert (got.sender, got.recipients) == ("alice@example.org", ["carol@example.net"])
    assert got.tls["version"] == "TLSv1.3"
    assert got.session.helo == "mx.example.org"
    assert got.session.spoke_too_early == b""
    assert got.session.verbs[:4] == ["EHLO", "STARTTLS", "EHLO", "MAIL"]
    postern.wait_until_empty()


def test_what_came_in_over_tls_says_so_when_it_goes_out(postern, sink):
    # STARTTLS-029
    postern.relay_to(sink)
    postern.start()
    hand_in(postern, letter())
    trace = top_received(sink.wait(1)[0].message)
    assert "with ESMTPS" in trace and "TLSv1.3" in trace and "TLS_AES_256_GCM_SHA384" in trace


def test_every_odd_message_goes_out_byte_for_byte(postern, sink):
    # SMTP-043, -044, -045, -061
    postern.relay_to(sink)
    postern.start()
    letters = odd_letters()
    for number, sent in enumerate(letters.values()):
        hand_in(postern, sent, sender=f"odd-{number}@example.org")
    got = {d.sender: d for d in sink.wait(len(letters))}
    for number, (what, sent) in enumerate(letters.items()):
        delivery = got[f"odd-{number}@example.org"]
        assert without_trace(delivery.message) == sent, what
        assert b"\n" not in delivery.raw.replace(b"\r\n", b"") and b"\r" not in delivery.raw.replace(b"\r\n", b""), what


def test_a_connection_is_used_for_many_messages(postern, sink):
    postern.relay_to(sink)
    postern.delivery["idle-connection"] = 3
    postern.start()
    for _ in range(30):
        hand_in(postern, letter())
    sink.wait(30)
    assert len(sink.sessions) < 10


def test_recipients_at_one_destination_share_one_copy(postern, sink):
    # SMTP-088
    postern.relay_to(sink)
    postern.start()
    hand_in(postern, letter(), "carol@example.net", also=["dave@example.net", "erin@example.net"])
    got = sink.wait(1)[0]
    assert sorted(got.recipients) == ["carol@example.net", "dave@example.net", "erin@example.net"]
    postern.wait_until_empty()
    assert len(sink.deliveries) == 1


def test_commands_are_pipelined_only_when_that_is_offered(postern, sink):
    # SMTP-018, -202
    sink.extensions = ["8BITMIME"]
    postern.relay_to(sink)
    postern.start()
    hand_in(postern, letter())
    assert sink.wait(1)[0].parameters.upper() in ("", "BODY=8BITMIME")      # no SIZE= without SIZE


def test_a_server_that_knows_only_helo_gets_mail_in_clear(postern, sink):
    # SMTP-093
    sink.answer("EHLO", "502 5.5.1 EHLO is unknown")
    sink.extensions = []
    postern.relay_to(sink)
    postern.start()
    hand_in(postern, letter())
    assert sink.wait(1)[0].session.verbs[:3] == ["EHLO", "HELO", "MAIL"]


def test_a_required_level_never_falls_back_to_helo(postern, sink):
    # SMTP-093
    sink.answer("EHLO", "502 5.5.1 EHLO is unknown")
    postern.relay_to(sink, level="encrypt")
    postern.start()
    hand_in(postern, letter())
    assert_stays_in_the_queue(postern, sink)


def test_mail_over_implicit_tls(postern, sink):
    sink.starttls = "implicit"
    postern.destinations["example.net"] = {"route": f"smtp {sink.address}:{sink.port} implicit", "tls": {"level": "encrypt"}}
    postern.start()
    hand_in(postern, letter())
    got = sink.wait(1)[0]
    assert got.tls["version"] == "TLSv1.3"
    assert "STARTTLS" not in got.session.verbs      # STARTTLS-004


def test_a_rule_for_a_domain_beats_the_one_for_its_parents(postern, sink, new_sink):
    parents = new_sink(address="127.0.0.3")
    postern.relay_to(sink)
    postern.relay_to(parents, domain=".example.net")
    postern.start()
    hand_in(postern, letter(), "carol@example.net", also=["dave@sub.example.net", "erin@deep.sub.example.net"])
    assert sink.wait(1)[0].recipients == ["carol@example.net"]
    eventually(lambda: sorted(r for d in parents.deliveries for r in d.recipients)
               == ["dave@sub.example.net", "erin@deep.sub.example.net"])


def test_a_server_that_hangs_up_at_quit_has_its_mail_all_the_same(postern, sink):
    # SMTP-091
    sink.answer("QUIT", HANG_UP)
    postern.relay_to(sink)
    postern.delivery["idle-connection"] = 0
    postern.start()
    hand_in(postern, letter())
    sink.wait(1)
    postern.wait_until_empty()
    assert len(sink.deliveries) == 1


# --- TLS levels against what the host does ------------------------------------


@pytest.mark.parametrize("mode", ["absent", "refused"])
def test_may_goes_on_in_clear_when_the_host_has_no_tls(postern, sink, mode):
    # STARTTLS-026, PD rows for "may"
    sink.starttls = mode
    postern.relay_to(sink, level="may")
    postern.start()
    hand_in(postern, letter())
    got = sink.wait(1)[0]
    assert got.tls is None
    assert len(sink.sessions) == 1


@pytest.mark.parametrize("mode", ["absent", "refused", "garbage", "hang-up"])
def test_encrypt_keeps_the_mail_when_the_host_cannot(postern, sink, mode):
    # STARTTLS-008, -026, -013 (P2)
    sink.starttls = mode
    postern.relay_to(sink, level="encrypt")
    postern.delivery["cleartext-after"] = 0
    postern.start()
    hand_in(postern, letter())
    entry = assert_stays_in_the_queue(postern, sink)
    assert entry["status"] in (("4.7.4",) if mode in ("absent", "refused") else ("4.7.5", "4.4.2")), entry
    sink.starttls = "offered"       # the host learns
    assert sink.wait(1)[0].tls


def test_encrypt_keeps_the_mail_from_a_host_with_old_tls_only(postern, sink):
    # STARTTLS-095
    sink.tls_minimum = sink.tls_maximum = ssl.TLSVersion.TLSv1_1
    sink.tls_ciphers = "ALL:@SECLEVEL=0"
    postern.relay_to(sink, level="encrypt")
    postern.start()
    hand_in(postern, letter())
    assert_stays_in_the_queue(postern, sink)


def test_may_waits_before_it_tries_in_clear_after_a_failed_handshake(postern, sink):
    # STARTTLS-027: never on the failed connection, and (the practice of Postfix) not at once.
    sink.starttls = "garbage"
    postern.relay_to(sink, level="may")
    postern.delivery["cleartext-after"] = 4
    postern.start()
    hand_in(postern, letter())
    assert_stays_in_the_queue(postern, sink)
    got = sink.wait(1)[0]
    assert got.tls is None and got.ended - sink.sessions[0].began >= 3.5
    assert "STARTTLS" not in got.session.verbs


def test_may_accepts_any_certificate(postern, sink, authority):
    # STARTTLS-105: a certificate alone never makes an opportunistic delivery fail, nor go in clear.
    postern.relay_to(sink, level="may")
    postern.start()
    for count, certificate in enumerate((authority.issue("wrong.example.com"), authority.issue("x.example.net", expired=True),
                                         authority.issue("y.example.net", self_signed=True)), 1):
        sink.certificate = certificate
        hand_in(postern, letter())
        assert sink.wait(count)[-1].tls


def test_off_does_not_ask_for_tls(postern, sink):
    postern.relay_to(sink, level="off")
    postern.start()
    hand_in(postern, letter())
    assert sink.wait(1)[0].tls is None
    assert "STARTTLS" not in sink.said_in_clear()


@pytest.mark.parametrize("level", ["may", "encrypt", "verify"])
def test_bytes_injected_behind_the_go_ahead_end_the_delivery(postern, sink, level):
    # STARTTLS-011 (P3): an attack is no reason to go on in clear, however long the message has waited.
    sink.starttls = "injected"
    postern.relay_to(sink, level=level)
    postern.delivery["cleartext-after"] = 0
    postern.start()
    hand_in(postern, letter())
    entry = assert_stays_in_the_queue(postern, sink)
    assert entry["status"] == "4.7.5", entry
    sink.wait_for_session(3)
    assert not sink.deliveries and "MAIL" not in sink.said_in_clear()


def verified(postern, sink, dns, host="mx.hosts.example.net"):
    """Mail for example.net goes by MX to `host`, with its certificate checked."""
    dns.mail_hosts("example.net", (host, sink.address))
    postern.destinations["example.net"] = {"route": "mx", "tls": {"level": "verify"}}
    postern.delivery["ca-file"] = str(postern.trusts)
    postern.deliver_by_mx_to(sink)


def test_verify_sends_to_a_host_whose_certificate_fits(postern, sink, dns):
    # STARTTLS-007, -081, -082, -102
    verified(postern, sink, dns)
    postern.start()
    hand_in(postern, letter())
    got = sink.wait(1)[0]
    assert got.tls["server_name"] == "mx.hosts.example.net"


@pytest.mark.parametrize("fault", ["wrong name", "expired", "self-signed", "another authority", "deeper than the wildcard"])
def test_verify_keeps_the_mail_when_the_certificate_does_not_fit(postern, sink, dns, authority, place, fault):
    # STARTTLS-007, -080, -082, -086, -088: inside TLS the host hears EHLO or QUIT at most.
    from harness.certificates import Authority
    name = "mx.hosts.example.net"
    sink.certificate = {
        "wrong name": lambda: authority.issue("mx.elsewhere.example.net"),
        "expired": lambda: authority.issue(name, expired=True),
        "self-signed": lambda: authority.issue(name, self_signed=True),
        "another authority": lambda: Authority(place / "other-authority").issue(name),
        "deeper than the wildcard": lambda: authority.issue("*.example.net"),
    }[fault]()
    verified(postern, sink, dns)
    postern.start()
    hand_in(postern, letter())
    entry = assert_stays_in_the_queue(postern, sink)
    assert entry["status"] == "4.7.5", entry
    assert {line.split(" ")[0] for s in sink.sessions for line, secret in s.commands if secret} <= {"QUIT"}


def test_mail_does_not_share_a_connection_across_tls_levels(postern, sink):
    # SMTP-088: a session opened in clear by one rule carries nothing for a stricter one.
    sink.starttls = "absent"
    postern.relay_to(sink, domain="example.net", level="may")
    postern.relay_to(sink, domain="example.com", level="encrypt")
    postern.delivery["idle-connection"] = 5
    postern.start()
    hand_in(postern, letter(), "carol@example.net", also=["dave@example.com"])
    assert sink.wait(1)[0].recipients == ["carol@example.net"]
    entry, = postern.wait_until_deferred(1)
    assert entry["status"] == "4.7.4"
    assert len(sink.deliveries) == 1


# --- limits the other side names ------------------------------------------------


def test_a_message_larger_than_the_host_takes_is_never_sent(postern, sink):
    # SMTP-194
    sink.extensions = ["PIPELINING", "8BITMIME", "SIZE 5000"]
    postern.relay_to(sink)
    postern.start()
    hand_in(postern, letter(body=b"x" * 70 + b"\r\n" * 6000), sender="alice@example.org")
    bounce, = postern.wait_for_mail(1)
    assert b"5.3.4" in bounce and "DATA" not in [v for s in sink.sessions for v in s.verbs]


def test_eight_bit_mail_is_not_sent_to_a_host_without_8bitmime(postern, sink):
    # SMTP-216
    sink.extensions = ["PIPELINING"]
    postern.relay_to(sink)
    postern.start()
    hand_in(postern, letter(body="Grüße\r\n".encode()))
    bounce, = postern.wait_for_mail(1)
    assert b"5.6.3" in bounce and not sink.deliveries
    hand_in(postern, letter(body=b"plain\r\n"))
    assert header(sink.wait(1)[0].message, "Subject") == "a letter"


def test_a_host_that_takes_ten_recipients_at_a_time_gets_them_in_batches(postern, sink):
    # SMTP-065: 552 to RCPT after some were taken means later, not never.
    taken = []
    refuse = sink.rule_for

    def ten_at_a_time(stage, line):
        if stage == "MAIL":
            taken.clear()
        if stage == "RCPT":
            if len(taken) >= 10:
                return "552 5.5.3 too many recipients"
            taken.append(line)
        return refuse(stage, line)
    sink.rule_for = ten_at_a_time
    postern.relay_to(sink)
    postern.start()
    people = [f"user{n}@example.net" for n in range(25)]
    hand_in(postern, letter(), people[0], also=people[1:])
    eventually(lambda: sorted(r for d in sink.deliveries for r in d.recipients) == sorted(people), 20,
               lambda: str([len(d.recipients) for d in sink.deliveries]))
    postern.wait_until_empty()
    assert not postern.mailbox()
