"""Whose mail is taken, and for whom: no open relay, and no secrets in clear."""

import pytest

from harness.dialogue import Dialogue
from harness.mail import letter


def rcpt(port, address, source=None, tls=False):
    with Dialogue(port, source=source) as client:
        client.hello()
        if tls:
            client.starttls()
        client.expect(250, "MAIL FROM:<alice@example.net>")
        return client.command(f"RCPT TO:{address}")


@pytest.mark.parametrize("address", [
    "<someone@example.com>",
    "<someone@sub.example.org>",
    "<someone@notexample.org>",
    "<someone@example.org.example.com>",
    "<@example.org:someone@example.com>",           # a source route: only the last address counts (SMTP-023)
    "<@example.org,@mx.example.org:someone@example.com>",
    "<someone@[127.0.0.1]>",
    "<someone@[192.0.2.1]>",
    "<someone@[IPv6:2001:db8::1]>",
])
def test_an_mx_listener_refuses_mail_for_others(gate, address):
    # SMTP-027; the client is in a trusted network: on an mx listener that changes nothing.
    answer = rcpt(gate.port, address)
    assert (answer.code, answer.status) == (550, "5.7.1"), answer
    assert rcpt(gate.port, address, tls=True).code == 550


@pytest.mark.parametrize("address", [
    "<bob@example.org>", "<bob@EXAMPLE.ORG>", "<BOB@example.org>", "<bob%example.com@example.org>",
    "<example.com!bob@example.org>", '<"bob@example.com"@example.org>', "<@example.com:bob@example.org>",
    "<Postmaster>", "<pOstMaster@example.org>",
])
def test_an_mx_listener_takes_mail_for_its_own_domain(gate, address):
    # SMTP-004, -022, -023, -025: what looks like a route in a local part is just a name.
    assert rcpt(gate.port, address).code == 250


@pytest.mark.parametrize("address", [
    "<bob>", "<bob@>", "<@example.org>", "<bob@example.org@example.com>", "<bob@example..org>", "<b ob@example.org>",
    "<bob@exa mple.org>", "bob@example.com", "<<bob@example.com>>", "<bob@[256.1.1.1]>", "<bob\0@example.org>", "<>",
    "<..@example.org>", "<bob@example.org\x01>",
])
def test_malformed_recipients_are_refused(gate, address):
    # SMTP-024, -029, -173
    assert rcpt(gate.port, address).code // 100 == 5


def test_mail_for_its_own_domain_never_reaches_the_outside(gate, dns, sink):
    with Dialogue(gate.port) as client:
        client.hello()
        client.message(letter(), "alice@example.net", "bob%example.com@example.org")
    gate.wait_for_mail(1)
    assert not sink.sessions and not any("example.com" in name for name, _ in dns.asked)


def test_submission_relays_for_trusted_clients_over_tls(postern, sink):
    # SMTP-171 ("or equivalent trust")
    postern.relay_to(sink)
    postern.start()
    with Dialogue(postern.submission_port) as client:
        client.hello()
        client.starttls()
        assert client.message(letter(), "alice@example.org", "carol@example.net").code == 250
    assert sink.wait(1)[0].recipients == ["carol@example.net"]


def test_submission_refuses_strangers(postern):
    # SMTP-171
    postern.trusted = ["127.0.0.1/32"]
    postern.start()
    for source, expected in (("127.0.0.1", 250), ("127.0.0.2", 530), ("127.0.1.1", 530)):
        with Dialogue(postern.submission_port, source=source) as client:
            client.hello()
            client.starttls()
            answer = client.command("MAIL FROM:<alice@example.org>")
            assert answer.code == expected, f"{source}: {answer}"


def test_submission_demands_tls_before_anything_else(gate):
    # STARTTLS-023
    with Dialogue(gate.submission_port) as client:
        client.hello()
        for command in ("MAIL FROM:<alice@example.org>", "VRFY bob", "DATA", "RCPT TO:<bob@example.org>"):
            answer = client.command(command)
            assert (answer.code, answer.status) == (530, "5.7.0"), f"{command}: {answer}"
        for command in ("NOOP", "RSET", "EHLO client.example.net"):
            assert client.command(command).code == 250
        client.starttls()
        assert client.command("MAIL FROM:<alice@example.org>").code == 250


def test_submission_wants_full_domains(gate):
    # SMTP-172
    with Dialogue(gate.submission_port) as client:
        client.hello()
        client.starttls()
        client.expect(250, "MAIL FROM:<alice@example.org>")
        assert client.command("RCPT TO:<bob@sales>").code == 554


def test_an_mx_listener_that_requires_tls_says_so(postern):
    # STARTTLS-022 (the operator may), -023
    postern.mx_listener["tls"] = "required"
    postern.start()
    with Dialogue(postern.port) as client:
        client.hello()
        assert client.command("MAIL FROM:<a@example.net>").code == 530
        client.starttls()
        assert client.message(letter()).code == 250
    postern.wait_for_mail(1)


def test_a_listener_without_tls_does_not_offer_it(postern):
    postern.mx_listener["tls"] = "off"
    postern.start()
    with Dialogue(postern.port) as client:
        assert "STARTTLS" not in client.hello()
        assert client.command("STARTTLS").code // 100 in (4, 5)
        assert client.message(letter()).code == 250


def test_without_a_certificate_postern_makes_its_own(postern):
    # STARTTLS-021 in reverse: there is always one to offer.
    postern.certificates = {}
    postern.start()
    with Dialogue(postern.port) as client:
        client.hello()
        client.starttls()
        assert client.message(letter()).code == 250


def test_the_name_asked_for_chooses_the_certificate(postern, authority, our_certificate):
    # STARTTLS-102: an unknown name gets the default one.
    other = authority.issue("mail.example.com")
    postern.certificates["mail.example.com"] = other
    postern.start()

    def shown_to(name):
        with Dialogue(postern.port) as client:
            client.hello()
            client.starttls(server_name=name)
            return client.certificate()
    assert shown_to("mail.example.com") == other.der
    assert shown_to("mx.example.org") == our_certificate.der
    assert shown_to("unknown.example.net") == our_certificate.der
    assert shown_to(None) == our_certificate.der


@pytest.mark.parametrize("key", ["rsa", "ecdsa"])
def test_both_kinds_of_key_work(postern, authority, key):
    postern.certificates = {"default": authority.issue("mx.example.org", key=key)}
    postern.start()
    with Dialogue(postern.port) as client:
        client.hello()
        client.starttls()
        assert client.message(letter()).code == 250
