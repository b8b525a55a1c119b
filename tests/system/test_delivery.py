"""Mail going out: the dialogue, the TLS levels against every kind of host, and what is sent when."""

import ssl
import time

import pytest

from harness.certificates import Authority
from harness.mail import header, letter, odd_letters, top_received, without_trace
from harness.processes import eventually, resident_kib
from harness.sink import HANG_UP, SILENCE


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
    postern.hand_in(sent)
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
    postern.hand_in(letter())
    trace = top_received(sink.wait(1)[0].message)
    assert "with ESMTPS" in trace and "TLSv1.3" in trace and "TLS_AES_256_GCM_SHA384" in trace


def test_every_odd_message_goes_out_byte_for_byte(postern, sink):
    # SMTP-043, -044, -045, -061
    postern.relay_to(sink)
    postern.start()
    letters = odd_letters()
    for number, sent in enumerate(letters.values()):
        postern.hand_in(sent, sender=f"odd-{number}@example.org")
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
        postern.hand_in(letter())
    sink.wait(30)
    assert len(sink.sessions) < 10


def test_recipients_at_one_destination_share_one_copy(postern, sink):
    # SMTP-088
    postern.relay_to(sink)
    postern.start()
    postern.hand_in(letter(), "carol@example.net", also=["dave@example.net", "erin@example.net"])
    got = sink.wait(1)[0]
    assert sorted(got.recipients) == ["carol@example.net", "dave@example.net", "erin@example.net"]
    postern.wait_until_empty()
    assert len(sink.deliveries) == 1


def test_commands_are_pipelined_only_when_that_is_offered(postern, sink):
    # SMTP-018, -202
    sink.extensions = ["8BITMIME"]
    postern.relay_to(sink)
    postern.start()
    postern.hand_in(letter())
    assert sink.wait(1)[0].parameters.upper() in ("", "BODY=8BITMIME")      # no SIZE= without SIZE


def test_a_server_that_knows_only_helo_gets_mail_in_clear(postern, sink):
    # SMTP-093
    sink.answer("EHLO", "502 5.5.1 EHLO is unknown")
    sink.extensions = []
    postern.relay_to(sink)
    postern.start()
    postern.hand_in(letter())
    assert sink.wait(1)[0].session.verbs[:3] == ["EHLO", "HELO", "MAIL"]


def test_a_required_level_never_falls_back_to_helo(postern, sink):
    # SMTP-093
    sink.answer("EHLO", "502 5.5.1 EHLO is unknown")
    postern.relay_to(sink, level="encrypt")
    postern.start()
    postern.hand_in(letter())
    assert_stays_in_the_queue(postern, sink)


def test_mail_over_implicit_tls(postern, sink):
    sink.starttls = "implicit"
    postern.relay_to(sink, level="encrypt", implicit=True)
    postern.start()
    postern.hand_in(letter())
    got = sink.wait(1)[0]
    assert got.tls["version"] == "TLSv1.3"
    assert "STARTTLS" not in got.session.verbs      # STARTTLS-004


def test_a_rule_for_a_domain_beats_the_one_for_its_parents(postern, sink, new_sink):
    parents = new_sink(address="127.0.0.3")
    postern.relay_to(sink)
    postern.relay_to(parents, domain=".example.net")
    postern.start()
    postern.hand_in(letter(), "carol@example.net", also=["dave@sub.example.net", "erin@deep.sub.example.net"])
    assert sink.wait(1)[0].recipients == ["carol@example.net"]
    eventually(lambda: sorted(r for d in parents.deliveries for r in d.recipients)
               == ["dave@sub.example.net", "erin@deep.sub.example.net"])


def test_a_server_that_hangs_up_at_quit_has_its_mail_all_the_same(postern, sink):
    # SMTP-091
    sink.answer("QUIT", HANG_UP)
    postern.relay_to(sink)
    postern.delivery["idle-connection"] = 0
    postern.start()
    postern.hand_in(letter())
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
    postern.hand_in(letter())
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
    postern.hand_in(letter())
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
    postern.hand_in(letter())
    assert_stays_in_the_queue(postern, sink)


def test_may_waits_before_it_tries_in_clear_after_a_failed_handshake(postern, sink):
    # STARTTLS-027: never on the failed connection, and (the practice of Postfix) not at once.
    sink.starttls = "garbage"
    postern.relay_to(sink, level="may")
    postern.delivery["cleartext-after"] = 4
    postern.start()
    postern.hand_in(letter())
    assert_stays_in_the_queue(postern, sink)
    got = sink.wait(1)[0]
    assert got.tls is None and got.ended - sink.sessions[0].began >= 3.5
    assert "STARTTLS" not in got.session.verbs


def test_may_accepts_any_certificate(postern, sink, authority):
    # STARTTLS-105: a certificate alone never makes an opportunistic delivery fail, nor go in clear.
    postern.relay_to(sink, level="may")
    postern.start()
    for count, certificate in enumerate((authority.issue("wrong.example.com"),
                                         authority.issue("sink.example.net", expired=True),
                                         authority.issue("sink.example.net", self_signed=True)), 1):
        sink.certificate = certificate
        postern.hand_in(letter())
        assert sink.wait(count)[-1].tls


def test_off_does_not_ask_for_tls(postern, sink):
    postern.relay_to(sink, level="off")
    postern.start()
    postern.hand_in(letter())
    assert sink.wait(1)[0].tls is None
    assert "STARTTLS" not in sink.said_in_clear()


@pytest.mark.parametrize("level", ["may", "encrypt", "verify"])
def test_bytes_injected_behind_the_go_ahead_end_the_delivery(postern, sink, level):
    # STARTTLS-011 (P3): an attack is no reason to go on in clear, however long the message has waited.
    sink.starttls = "injected"
    postern.relay_to(sink, level=level)
    postern.delivery["cleartext-after"] = 0
    postern.start()
    postern.hand_in(letter())
    entry = assert_stays_in_the_queue(postern, sink)
    assert entry["status"] == "4.7.5", entry
    sink.wait_for_session(3)
    assert not sink.deliveries and "MAIL" not in sink.said_in_clear()


def verified(postern, sink, dns, host="mx.hosts.example.net"):
    """Mail for example.net goes to `host` by the operator's word, with its certificate checked against that name."""
    dns.set(host, "A", sink.address)
    postern.destinations["example.net"] = {"route": f"smtp {host}:{sink.port}", "tls": {"level": "verify"}}
    postern.delivery["ca-file"] = str(postern.trusts)


def test_verify_sends_to_a_host_whose_certificate_fits(postern, sink, dns):
    # STARTTLS-007, -081, -082, -102
    verified(postern, sink, dns)
    postern.start()
    postern.hand_in(letter())
    got = sink.wait(1)[0]
    assert got.tls["server_name"] == "mx.hosts.example.net"
    assert eventually(lambda: postern.events("delivery.sent", verdict="verified"))      # STARTTLS-106


def test_verify_wants_a_host_that_the_operator_named(postern):
    # STARTTLS-080: a name from an unsigned MX answer proves nothing.
    postern.destinations["example.net"] = {"route": "mx", "tls": {"level": "verify"}}
    postern.prepare()
    done = postern.command("config", "check", "-c", postern.file)
    assert done.returncode != 0 and "verify" in done.stdout + done.stderr


@pytest.mark.parametrize("fault", ["wrong name", "expired", "self-signed", "another authority",
                                   "deeper than the wildcard"])
def test_verify_keeps_the_mail_when_the_certificate_does_not_fit(postern, sink, dns, authority, place, fault):
    # STARTTLS-007, -080, -082, -086, -088: inside TLS the host hears EHLO or QUIT at most.
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
    postern.hand_in(letter())
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
    postern.hand_in(letter(), "carol@example.net", also=["dave@example.com"])
    assert sink.wait(1)[0].recipients == ["carol@example.net"]
    entry, = postern.wait_until_deferred(1)
    assert entry["status"] == "4.7.4"
    assert len(sink.deliveries) == 1


@pytest.mark.parametrize("level, mode, arrives", [
    ("off", "offered", "in clear"), ("may", "offered", "over TLS"), ("may", "absent", "in clear"),
    ("encrypt", "offered", "over TLS"), ("encrypt", "absent", None), ("encrypt", "garbage", None),
    ("may", "injected", None), ("verify", "offered", None), ("implicit", "implicit", "over TLS")])
def test_postern_send_keeps_to_the_level_it_is_given(new_postern, sink, place, level, mode, arrives):
    # The host is named by an address, which its certificate does not hold: verify fails.
    sink.starttls = mode
    (place / "message").write_bytes(letter())
    done = new_postern().command("send", "--server", f"{sink.address}:{sink.port}", "--tls", level,
                                 "--from", "alice@example.org", "--to", "carol@example.net", "--to", "dave@example.net",
                                 place / "message")
    assert (done.returncode == 0) == bool(arrives), done.stdout + done.stderr
    if arrives:
        got = sink.wait(1)[0]
        assert bool(got.tls) == (arrives == "over TLS") and got.recipients == ["carol@example.net", "dave@example.net"]
    else:
        assert not sink.deliveries and "MAIL" not in sink.said_in_clear()


# --- how hard a host is worked ----------------------------------------------------


def test_no_more_connections_than_allowed_go_to_one_destination(postern, sink):
    sink.pause = 0.05
    postern.relay_to(sink)
    postern.delivery["connections-per-destination"] = 3
    postern.start()
    most = 0
    for n in range(40):
        postern.hand_in(letter())
        most = max(most, sum(s.open for s in sink.sessions))
    while len(sink.deliveries) < 40:
        most = max(most, sum(s.open for s in sink.sessions))
        sink.wait(len(sink.deliveries) + 1)
    assert 1 <= most <= 3


def test_a_destination_that_hangs_does_not_hold_up_another(postern, sink, new_sink):
    stuck = new_sink(address="127.0.0.3")
    stuck.answer("MAIL", SILENCE)
    postern.relay_to(stuck, domain="stuck.example.net")
    postern.relay_to(sink)
    postern.outbound = 1
    postern.start()
    for _ in range(30):
        postern.hand_in(letter(), "carol@stuck.example.net")
    stuck.wait_for_session(1)
    for _ in range(5):
        postern.hand_in(letter())
    sink.wait(5, seconds=5)


def test_a_message_of_forty_megabytes_passes_in_little_memory(postern, sink):
    # SMTP-067, and its like on the way out
    postern.relay_to(sink)
    postern.start()
    before = {name: resident_kib(pid) for name, pid in postern.workers().items()}
    sent = letter(body=(b"0123456789" * 7 + b"\r\n") * 570_000)
    postern.hand_in(sent)
    peak = dict(before)
    until = time.monotonic() + 30
    while not sink.deliveries and time.monotonic() < until:
        peak = {name: max(peak[name], resident_kib(pid)) for name, pid in postern.workers().items()}
        time.sleep(0.02)
    assert without_trace(sink.deliveries[0].message) == sent
    assert max(peak[n] - before[n] for n in before) < 24 * 1024, (before, peak)


# --- limits the other side names ------------------------------------------------


def test_a_message_larger_than_the_host_takes_is_never_sent(postern, sink):
    # SMTP-194
    sink.extensions = ["PIPELINING", "8BITMIME", "SIZE 5000"]
    postern.relay_to(sink)
    postern.start()
    postern.hand_in(letter(body=b"x" * 70 + b"\r\n" * 6000), sender="alice@example.org")
    bounce, = postern.wait_for_mail(1)
    assert b"5.3.4" in bounce and "DATA" not in [v for s in sink.sessions for v in s.verbs]


def test_eight_bit_mail_is_not_sent_to_a_host_without_8bitmime(postern, sink):
    # SMTP-216
    sink.extensions = ["PIPELINING"]
    postern.relay_to(sink)
    postern.start()
    postern.hand_in(letter(body="Grüße\r\n".encode()))
    bounce, = postern.wait_for_mail(1)
    assert b"5.6.3" in bounce and not sink.deliveries
    postern.hand_in(letter(body=b"plain\r\n"))
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
    postern.hand_in(letter(), people[0], also=people[1:])
    eventually(lambda: sorted(r for d in sink.deliveries for r in d.recipients) == sorted(people), 20,
               lambda: str([len(d.recipients) for d in sink.deliveries]))
    postern.wait_until_empty()
    assert not postern.mailbox()
