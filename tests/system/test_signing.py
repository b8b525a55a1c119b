"""Submitted mail with a DKIM signature of its sender's domain (RFC 6376), as dkimpy and the far end see it."""

import base64
import subprocess

import dkim
import pytest

from harness.dialogue import Dialogue
from harness.mail import letter
from harness.processes import eventually

BIG = "A line of a large message, which goes through a segment file.\r\n" * 80000        # 5 MB


@pytest.fixture(params=["ed25519", "rsa"])
def signer(request, place, postern, sink):
    """(the running postern, what DKIM publishes of its key)"""
    file = place / "dkim.pem"
    options = ["-pkeyopt", "rsa_keygen_bits:2048"] if request.param == "rsa" else []
    subprocess.run(["openssl", "genpkey", "-algorithm", request.param, *options, "-out", file], check=True, capture_output=True)
    der = subprocess.run(["openssl", "pkey", "-in", file, "-pubout", "-outform", "DER"], check=True, capture_output=True).stdout
    file.chmod(0o600)           # root's: it is read before rights are given up
    public = base64.b64encode(der[-32:] if request.param == "ed25519" else der).decode()
    postern.sections['dkim "example.org"'] = {"selector": "s1", "key": file}
    postern.relay_to(sink)
    postern.start()
    return postern, f"v=DKIM1; k={request.param}; p={public}".encode()


def verify(message, record):
    start = message.index(b"DKIM-Signature:")
    return dkim.verify(message[start:], dnsfunc=lambda name, timeout=5: record if name == b"s1._domainkey.example.org." else None)


@pytest.mark.parametrize("body", ["Hello.\r\n", "", "trailing blanks  \r\n\r\n\r\n", BIG], ids=["short", "empty", "blanks", "big"])
def test_submitted_mail_is_signed_for_its_sender(signer, sink, body):
    postern, record = signer
    postern.hand_in(letter(body=body, sender="alice@example.org"), sender="alice@example.org")
    got = sink.wait(1, seconds=30)[0].message
    assert got.startswith(b"DKIM-Signature: ") and got.count(b"DKIM-Signature:") == 1
    assert verify(got, record)
    assert not verify(got.replace(b"Subject: a letter", b"Subject: another"), record)


def test_only_its_own_domain_and_only_what_is_submitted(signer, sink):
    postern, record = signer
    postern.hand_in(letter(), sender="alice@example.com")               # no key for it
    postern.hand_in(letter(), sender="alice@sub.example.org")
    postern.hand_in(letter(), sender="")
    with Dialogue(postern.submission_port) as client:                   # several in one session, one given up
        client.hello()
        client.starttls()
        assert client.message(letter(), "alice@example.org", "carol@example.net").code == 250
        assert client.command("MAIL FROM:<alice@example.org>").code == 250
        assert client.command("RSET").code == 250
        assert client.message(letter(), "alice@example.org", "carol@example.net").code == 250
    got = [d.message for d in sink.wait(5)]
    signed = [m for m in got if m.startswith(b"DKIM-Signature:")]
    assert len(signed) == 2 and all(verify(m, record) for m in signed)


def test_what_has_no_author_goes_unsigned_and_the_log_says_so(signer, sink):
    postern, _ = signer
    postern.hand_in(b"Subject: who am I\r\n\r\nx\r\n", sender="alice@example.org")
    assert b"DKIM-Signature" not in sink.wait(1)[0].message
    eventually(lambda: postern.events("message.unsigned"), 5, "it is in the log")


def test_the_signature_survives_a_killed_postern(signer, sink):
    """P1: what was promised was promised with its signature."""
    postern, record = signer
    postern.destinations["example.net"]["route"] = "smtp 127.0.0.2:1"   # nobody is there
    postern.file.write_text(postern.configuration())
    postern.reload()
    eventually(lambda: postern.events("reload.done"), 10, "the route has changed")
    for body in ("Hello.\r\n", BIG):
        postern.hand_in(letter(body=body, sender="alice@example.org"), sender="alice@example.org")
    postern.kill_all()
    postern.relay_to(sink)
    postern.start()
    got = [d.message for d in sink.wait(2, seconds=40)]
    assert all(verify(m, record) for m in got)
