"""When delivery fails: what is tried again, where else, and what the sender is told."""

import email
import email.policy

import pytest

from harness.dialogue import Dialogue
from harness.mail import header, letter
from harness.nameserver import SILENCE
from harness.processes import eventually
from harness.sink import HANG_UP


class Bounce:
    """A delivery status notification, taken apart as RFC 3464 says."""

    def __init__(self, raw):
        self.message = email.message_from_bytes(raw, policy=email.policy.default)
        assert self.message.get_content_type() == "multipart/report"
        assert self.message.get_param("report-type") == "delivery-status"
        self.parts = list(self.message.iter_parts())
        assert [p.get_content_type() for p in self.parts] in (
            ["text/plain", "message/delivery-status", "text/rfc822-headers"],
            ["text/plain", "message/delivery-status", "message/rfc822"])
        self.text = self.parts[0].get_content()
        self.per_message, *self.recipients = self.parts[1].get_payload()
        self.original = self.parts[2].get_payload() if isinstance(self.parts[2].get_payload(), str) else ""

    def about(self, address):
        return next(r for r in self.recipients if r["Final-Recipient"].endswith(address))


def the_bounce(postern, count=1, seconds=15):
    return Bounce(postern.wait_for_mail(count, seconds=seconds)[-1])


# --- what one host says ---------------------------------------------------------


def test_each_recipient_gets_its_own_result(postern, sink):
    # SMTP-089, -048, -280 to -283
    sink.answer("RCPT", "550 5.1.1 nobody of that name", only="nobody@")
    sink.answer("RCPT", "450 4.2.1 come back later", only="later@", times=1)
    postern.relay_to(sink)
    postern.start()
    sent = letter(subject="three of you")
    postern.hand_in(sent, "carol@example.net", also=["nobody@example.net", "later@example.net"])
    bounce = the_bounce(postern)
    assert [r["Final-Recipient"] for r in bounce.recipients] == ["rfc822; nobody@example.net"]
    told = bounce.about("nobody@example.net")
    assert told["Action"] == "failed" and told["Status"] == "5.1.1"
    assert told["Diagnostic-Code"].startswith("smtp;") and "nobody of that name" in told["Diagnostic-Code"]
    assert told["Remote-MTA"].startswith("dns;")
    assert bounce.per_message["Reporting-MTA"] == "dns; mx.example.org"
    assert "nobody@example.net" in bounce.text and "three of you" in str(bounce.original)
    eventually(lambda: [d.recipients for d in sink.deliveries] == [["carol@example.net"], ["later@example.net"]], 10,
               lambda: str([d.recipients for d in sink.deliveries]))
    postern.wait_until_empty()
    assert len(postern.mailbox()) == 1


def test_a_bounce_is_mail_from_nobody_that_answers_nobody(postern, sink):
    # SMTP-154, -284
    sink.answer("MAIL", "550 5.7.1 not you")
    postern.relay_to(sink)
    postern.start()
    postern.hand_in(letter())
    raw, = postern.wait_for_mail(1)
    assert header(raw, "Return-Path") == "<>"
    assert header(raw, "Auto-Submitted").startswith("auto-")
    assert "postmaster@" in header(raw, "From").lower()
    assert header(raw, "To").strip("<>") == "alice@example.org"
    assert header(raw, "Message-ID") and header(raw, "Date") and header(raw, "MIME-Version") == "1.0"
    assert all(b <= 127 for b in raw)


@pytest.mark.parametrize("stage, reply, status", [
    ("MAIL", "550 no", "5.0.0"), ("MAIL", "553 5.1.8 bad sender", "5.1.8"), ("RCPT", "550 5.1.1 no", "5.1.1"),
    ("RCPT", "556 5.1.10 takes no mail", "5.1.10"), ("DATA", "554 5.6.0 no", "5.6.0"),
    ("END", "552 5.3.4 too big", "5.3.4"),
    ("END", "554-5.7.1 first line\r\n554 5.7.1 second line", "5.7.1"),
], ids=lambda word: word[:7].replace(" ", "-"))
def test_a_final_no_at_any_stage_makes_a_bounce(postern, sink, stage, reply, status):
    # SMTP-007, -087, -137, -302
    sink.answer(stage, reply)
    postern.relay_to(sink)
    postern.start()
    postern.hand_in(letter())
    assert the_bounce(postern).about("carol@example.net")["Status"] == status
    postern.wait_until_empty()
    assert len(sink.sessions) == 1 and not sink.deliveries


@pytest.mark.parametrize("stage, reply", [
    ("CONNECT", "421 4.3.2 not now"), ("CONNECT", HANG_UP), ("EHLO", "421 4.3.2 too busy"), ("EHLO", HANG_UP),
    ("STARTTLS", "421 4.7.0 not now"),
    ("MAIL", "451 4.7.1 greylisted"), ("MAIL", HANG_UP), ("RCPT", "450 4.2.1 busy"), ("RCPT", "421 4.3.2 bye"),
    ("RCPT", HANG_UP), ("DATA", "451 4.3.0 no"), ("DATA", HANG_UP), ("BODY", HANG_UP), ("END", "452 4.3.1 full"),
    ("END", "421 4.3.2 bye"), ("END", HANG_UP), ("CONNECT", "999 nonsense"), ("MAIL", "477 odd"),
], ids=lambda word: word[:3] if word[:3].isdigit() else word.replace(" ", "-"))
def test_a_passing_fault_at_any_stage_is_tried_again(postern, sink, stage, reply):
    # SMTP-007, -017, -083, -094
    sink.answer(stage, reply, times=1)
    postern.relay_to(sink, level="encrypt")
    postern.start()
    postern.hand_in(letter(body="x" * 70 + "\r\n" * 2000))
    assert sink.wait(1)[0].recipients == ["carol@example.net"]
    postern.wait_until_empty()
    assert len(sink.deliveries) == 1 and not postern.mailbox()
    assert sink.deliveries[0].ended - sink.sessions[0].began >= 0.8     # not at once (SMTP-083)


def test_two_greetings_are_not_taken_for_answers(postern, sink):
    # SMTP-092
    sink.answer("CONNECT", "220 one\r\n220 two", times=1)
    postern.relay_to(sink, level="off")
    postern.start()
    postern.hand_in(letter())
    assert sink.wait(1)[0].session is not sink.sessions[0]


def test_an_endless_reply_is_cut_off(postern, sink):
    # SMTP-062
    sink.answer("EHLO", "\r\n".join(["250-word"] * 100_000) + "\r\n250 end", times=1)
    postern.relay_to(sink)
    postern.start()
    postern.hand_in(letter())
    assert sink.wait(1)[0].session is not sink.sessions[0]


def test_mail_that_cannot_be_delivered_in_time_comes_back(postern, sink):
    # SMTP-084
    sink.answer("RCPT", "450 4.2.1 come back later")
    postern.relay_to(sink)
    postern.retry["give-up"] = 3
    postern.start()
    postern.hand_in(letter())
    told = the_bounce(postern).about("carol@example.net")
    assert told["Action"] == "failed"
    assert "come back later" in told["Diagnostic-Code"]
    assert len([v for s in sink.sessions for v in s.verbs if v == "MAIL"]) >= 2
    postern.wait_until_empty()


def test_a_sender_is_told_when_mail_waits_long(postern, sink):
    sink.answer("RCPT", "450 4.2.1 come back later")
    postern.relay_to(sink)
    postern.retry["delay-notice"] = 2
    postern.start()
    postern.hand_in(letter())
    notice = the_bounce(postern)
    assert notice.about("carol@example.net")["Action"] == "delayed"
    sink.behave()
    sink.wait(1)
    postern.wait_until_empty()
    assert len(postern.mailbox()) == 1      # told once


def test_mail_from_nobody_never_makes_a_bounce(postern, sink):
    # SMTP-085
    sink.answer("RCPT", "550 5.1.1 nobody of that name")
    postern.relay_to(sink)
    postern.start()
    postern.hand_in(letter(), sender="")
    sink.wait_for_session(1)
    postern.wait_until_empty()
    postern.hand_in(letter(), "bob@example.org")
    assert len(postern.wait_for_mail(1)) == 1 and header(postern.mailbox()[0], "Return-Path") != "<>"


def test_a_bounce_that_cannot_be_delivered_ends_the_matter(postern, sink):
    # SMTP-085
    sink.answer("RCPT", "550 5.1.1 nobody of that name")
    postern.relay_to(sink)
    postern.start()
    postern.hand_in(letter(), sender="forged@example.net")
    eventually(lambda: [c for s in sink.sessions for c, _ in s.commands if c.startswith("MAIL FROM:<>")], 10,
               "the bounce is tried")
    postern.wait_until_empty()
    assert not postern.mailbox()


# --- what the DNS says ------------------------------------------------------------


@pytest.fixture
def by_mx(postern, sink, dns):
    """postern finds the hosts of every foreign domain in the DNS; their port is the sink's."""
    postern.deliver_by_mx_to(sink)
    return postern.start()


def test_mail_goes_to_the_host_that_mx_names(by_mx, sink, dns):
    # SMTP-120
    dns.mail_hosts("plain.example.net", ("mx.plain.example.net", sink.address))
    by_mx.hand_in(letter(), "carol@plain.example.net")
    got = sink.wait(1)[0]
    assert got.tls["server_name"] == "mx.plain.example.net"


def test_without_mx_the_domain_itself_is_the_host(by_mx, sink, dns):
    # SMTP-121
    dns.set("implicit.example.net", "A", sink.address)
    by_mx.hand_in(letter(), "carol@implicit.example.net")
    assert sink.wait(1)[0].recipients == ["carol@implicit.example.net"]


def test_an_alias_of_the_domain_is_followed(by_mx, sink, dns):
    # SMTP-120
    dns.set("alias.example.net", "CNAME", "real.example.net.")
    dns.mail_hosts("real.example.net", ("mx.real.example.net", sink.address))
    by_mx.hand_in(letter(), "carol@alias.example.net")
    assert sink.wait(1)[0].recipients == ["carol@alias.example.net"]


def test_an_address_literal_is_connected_to_directly(by_mx, sink, dns):
    # SMTP-131
    by_mx.hand_in(letter(), f"carol@[{sink.address}]")
    assert sink.wait(1)[0].recipients == [f"carol@[{sink.address}]"]
    assert not dns.asked


def test_a_null_mx_means_no_mail_at_once(by_mx, dns, sink):
    # SMTP-132: the address is never tried.
    dns.set("null.example.net", "MX", "0 .")
    dns.set("null.example.net", "A", sink.address)
    by_mx.hand_in(letter(), "carol@null.example.net")
    assert the_bounce(by_mx).about("carol@null.example.net")["Status"] == "5.1.10"
    assert not sink.sessions


def test_a_root_among_other_hosts_is_no_null_mx(by_mx, dns, sink):
    # SMTP-133
    dns.mail_hosts("mixed.example.net", ("mx.mixed.example.net", sink.address))
    dns.records["mixed.example.net", "MX"].insert(0, "0 .")
    by_mx.hand_in(letter(), "carol@mixed.example.net")
    sink.wait(1)


def test_a_domain_that_does_not_exist_bounces_at_once(by_mx, sink):
    # SMTP-121
    by_mx.hand_in(letter(), "carol@absent.example.com")
    assert the_bounce(by_mx).about("carol@absent.example.com")["Status"] == "5.1.2"


@pytest.mark.parametrize("fault", ["SERVFAIL", "REFUSED", SILENCE])
def test_a_name_server_in_trouble_means_later(postern, sink, dns, fault):
    # SMTP-121
    postern.deliver_by_mx_to(sink)
    postern.retry["most"] = 6       # the resolver remembers a failure for about five seconds
    postern.start()
    dns.mail_hosts("trouble.example.net", ("mx.trouble.example.net", sink.address))
    dns.fault("trouble.example.net", fault)
    postern.hand_in(letter(), "carol@trouble.example.net")
    entry, = postern.wait_until_deferred(1)
    assert entry["status"] == "4.4.3", entry
    dns.heal("trouble.example.net")
    sink.wait(1, seconds=25)
    assert not postern.mailbox()


def test_a_dead_first_host_does_not_stop_the_mail(by_mx, dns, sink):
    # SMTP-124, -125
    dns.mail_hosts("two.example.net", ("dead.two.example.net", "127.0.0.99"), ("mx.two.example.net", sink.address))
    by_mx.hand_in(letter(), "carol@two.example.net")
    assert sink.wait(1)[0].tls["server_name"] == "mx.two.example.net"


def test_every_address_of_a_host_is_tried(by_mx, dns, sink):
    # SMTP-125
    dns.mail_hosts("addresses.example.net", ("mx.addresses.example.net", None))
    dns.set("mx.addresses.example.net", "A", "127.0.0.98", "127.0.0.99", sink.address)
    dns.set("mx.addresses.example.net", "AAAA", "2001:db8::25")
    by_mx.hand_in(letter(), "carol@addresses.example.net")
    sink.wait(1)


@pytest.mark.parametrize("stage, reply", [
    ("CONNECT", "554 5.3.2 no mail here"), ("CONNECT", "521 never"), ("CONNECT", "421 busy"),
    ("MAIL", "451 4.3.0 no"), ("RCPT", "450 4.3.0 no"), ("MAIL", HANG_UP)],
                         ids=lambda word: word[:3] if word[:3].isdigit() else word.replace(" ", "-"))
def test_the_next_host_is_tried_when_the_first_cannot(by_mx, dns, sink, new_sink, stage, reply):
    # SMTP-136, -138, -139
    second = new_sink(address="127.0.0.3", port=sink.port)
    dns.mail_hosts("next.example.net", ("mx1.next.example.net", sink.address), ("mx2.next.example.net", second.address))
    sink.answer(stage, reply)
    by_mx.hand_in(letter(), "carol@next.example.net")
    assert second.wait(1)[0].recipients == ["carol@next.example.net"]
    assert sink.sessions


def test_a_final_no_from_one_host_is_not_shopped_around(by_mx, dns, sink, new_sink):
    # SMTP-138
    second = new_sink(address="127.0.0.3", port=sink.port)
    dns.mail_hosts("final.example.net", ("mx1.final.example.net", sink.address),
                   ("mx2.final.example.net", second.address))
    sink.answer("RCPT", "550 5.1.1 nobody of that name")
    by_mx.hand_in(letter(), "carol@final.example.net")
    the_bounce(by_mx)
    assert not second.sessions


def test_with_mx_records_the_address_of_the_domain_is_never_used(by_mx, dns, sink):
    # SMTP-122
    dns.mail_hosts("apex.example.net", ("dead.apex.example.net", "127.0.0.99"))
    dns.set("apex.example.net", "A", sink.address)
    by_mx.hand_in(letter(), "carol@apex.example.net")
    entry, = by_mx.wait_until_deferred(1)
    assert entry["status"].startswith("4.4.")
    assert not sink.sessions


def test_hosts_without_an_address_are_an_error(by_mx, dns, sink):
    # SMTP-123, -130
    dns.set("nowhere.example.net", "MX", "10 no-address.nowhere.example.net.", "20 192.0.2.1.")
    dns.set("no-address.nowhere.example.net", "TXT", "nothing here")
    by_mx.hand_in(letter(), "carol@nowhere.example.net")
    eventually(lambda: by_mx.mailbox() or [e for e in by_mx.waiting() if e["attempts"]], 10)
    assert not sink.sessions


@pytest.fixture
def beside(postern, new_sink):
    """A host on our own port but another address, so that MX delivery could reach us as well as it."""
    neighbour = new_sink(address="127.0.0.2", port=postern.port)
    postern.deliver_by_mx_to(neighbour)
    postern.start()
    return neighbour


@pytest.mark.parametrize("our_name", ["mx.example.org", "another-name.example.com"])
def test_being_the_best_host_oneself_is_a_loop(postern, dns, beside, our_name):
    # SMTP-126, -127: hosts of the same or a worse preference do not count.
    dns.mail_hosts("loop.example.net", (our_name, "127.0.0.1"), ("mx2.loop.example.net", beside.address))
    postern.hand_in(letter(), "carol@loop.example.net")
    assert the_bounce(postern).about("carol@loop.example.net")["Status"] == "5.4.6"
    assert not beside.sessions


def test_better_hosts_than_oneself_get_the_mail(postern, dns, beside):
    # SMTP-126
    dns.mail_hosts("backup.example.net", ("mx1.backup.example.net", beside.address), ("mx.example.org", "127.0.0.1"))
    postern.hand_in(letter(), "carol@backup.example.net")
    beside.wait(1)


def test_a_message_that_has_been_everywhere_goes_no_further(gate):
    # SMTP-128
    def with_hops(count):
        return b"Received: from a by b; Mon, 02 Jan 2023 15:04:05 +0000\r\n" * count + letter()
    with Dialogue(gate.port) as client:
        client.hello()
        assert client.message(with_hops(90)).code == 250
        answer = client.message(with_hops(101))
        assert (answer.code, answer.status) == (554, "5.4.6"), answer


# --- many messages for a host in trouble ----------------------------------------------


def test_a_dead_host_is_not_tried_for_every_message(postern, sink, dns):
    # SMTP-086
    dns.mail_hosts("dead.example.net", ("mx.dead.example.net", sink.address))
    postern.deliver_by_mx_to(sink)
    sink.answer("CONNECT", HANG_UP)
    postern.start()
    with Dialogue(postern.submission_port) as client:
        client.hello()
        client.starttls()
        for _ in range(100):
            assert client.message(letter(), "alice@example.org", "carol@dead.example.net").code == 250
    postern.wait_until_deferred(100)
    assert len(sink.sessions) < 60
    sink.behave()
    sink.wait(100, seconds=90)
    postern.wait_until_empty()
    assert len(sink.deliveries) == 100
