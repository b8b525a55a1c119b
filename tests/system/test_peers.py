"""Real mail servers on the other end, as receivers of our mail and as senders to us."""

import random

import pytest

from harness.mail import header, letter, top_received, without_trace
from harness.nameserver import NameServer
from harness.peers import Chasquid, Exim, OpenSmtpd, Postfix
from harness.processes import eventually, free_port


def odd_but_common():
    return letter(subject="from one to another", body="..\r\n.hidden\r\nGrüße\r\n\r\n" + "x" * 990 + "\r\n")


@pytest.fixture(scope="module", params=[Postfix, Exim], ids=lambda kind: kind.name)
def running(request, shared_place, sink_certificate):
    """Postfix or Exim, which sends what is not for itself to one port of ours, over TLS only."""
    server = request.param(shared_place, sink_certificate, free_port())
    try:
        yield server.start()
    finally:
        server.stop()


@pytest.fixture
def peer(running, postern):
    """The same with an empty mailbox, and our mx listener on that port."""
    running.empty()
    postern.port = running.next_hop
    return running


def test_our_mail_reaches_a_peer_over_starttls(postern, peer):
    # SMTP-052, STARTTLS-105; the peer's own trace says how it came.
    postern.destinations[peer.domain] = {"route": f"smtp 127.0.0.1:{peer.port}", "tls": {"level": "encrypt"}}
    postern.start()
    sent = odd_but_common()
    postern.hand_in(sent, f"bob@{peer.domain}")
    got = eventually(peer.mailbox, 15, peer.log_text)[0]
    assert got.endswith(sent)
    trace = top_received(got[got.index(b"Received:"):])
    assert "esmtps" in trace.lower(), trace
    assert "TLSv1.3" in trace or "TLS1.3" in trace, trace
    postern.wait_until_empty()


def test_many_messages_reach_a_peer(postern, peer):
    postern.destinations[peer.domain] = {"route": f"smtp 127.0.0.1:{peer.port}", "tls": {"level": "encrypt"}}
    postern.start()
    for n in range(40):
        postern.hand_in(letter(subject=f"number {n}"), f"bob@{peer.domain}")
    eventually(lambda: len(peer.mailbox()) == 40, 30, peer.log_text)
    assert {header(m[m.index(b"From:"):], "Subject") for m in peer.mailbox()} == {f"number {n}" for n in range(40)}


def test_a_peers_mail_reaches_us_over_starttls(postern, peer):
    # The peer insists on TLS: STARTTLS-001 to -003 as another's client sees them.
    postern.start()
    sent = odd_but_common()
    peer.send("bob@example.org", sent)
    got, = postern.wait_for_mail(1)
    assert without_trace(got, received=2, return_path=True) == sent
    trace = top_received(got)
    assert "with ESMTPS" in trace and "TLSv1.3" in trace, trace
    assert "TLS" in peer.log_text()


def test_a_peer_is_told_of_an_unknown_domain_and_bounces(postern, peer):
    # SMTP-027 as another's client sees it: our 550 5.7.1 reaches the peer's log.
    postern.start()
    peer.send("bob@example.com", letter())
    eventually(lambda: "5.7.1" in peer.log_text(), 15, peer.log_text)


# --- OpenSMTPD: in clear as a server, TLS as a client --------------------------------


@pytest.fixture
def opensmtpd(place, peers, postern, new_sink):
    box = new_sink(certificate=None, address="127.0.0.4")
    server = OpenSmtpd(place, box, postern.port)
    peers.append(server)
    return server.start()


def test_our_mail_reaches_opensmtpd_in_clear(postern, opensmtpd):
    # SMTP-018, -202: it offers no PIPELINING.
    postern.destinations[opensmtpd.domain] = {"route": f"smtp 127.0.0.1:{opensmtpd.port}", "tls": {"level": "may"}}
    postern.start()
    sent = letter(body="..\r\n.hidden\r\n")
    postern.hand_in(sent, f"bob@{opensmtpd.domain}")
    got = eventually(opensmtpd.mailbox, 20, opensmtpd.log_text)[0]
    assert got.endswith(sent)
    assert "OpenSMTPD" in top_received(got)


def test_opensmtpds_mail_reaches_us_over_starttls(postern, opensmtpd):
    postern.start()
    sent = letter()
    opensmtpd.send("bob@example.org", sent)
    got = postern.wait_for_mail(1, seconds=25)[0]
    assert got.endswith(sent)
    assert "with ESMTPS" in top_received(got)


# --- chasquid: finds us by MX -----------------------------------------------------------


@pytest.fixture
def chasquid(place, peers, postern, sink_certificate):
    # The resolver of another program is always asked on port 53: an address of its own keeps that free of clashes.
    octets = [random.randrange(1, 255) for _ in range(3)]
    own_dns = NameServer("127.{}.{}.{}".format(*octets), 53)
    own_dns.mail_hosts("example.org", ("mx.example.org", "127.0.0.1"))
    server = Chasquid(place, sink_certificate, postern.port, own_dns)
    peers.append(server)
    yield server.start()
    own_dns.close()


def test_our_mail_reaches_chasquid_over_starttls(postern, chasquid):
    postern.destinations[chasquid.domain] = {"route": f"smtp 127.0.0.1:{chasquid.port}", "tls": {"level": "encrypt"}}
    postern.start()
    sent = odd_but_common()
    postern.hand_in(sent, f"{chasquid.user}@{chasquid.domain}")
    got = eventually(chasquid.mailbox, 15, chasquid.log_text)[0]
    assert got.endswith(sent)
    assert b"ESMTPS" in got.split(b"From:")[0] and b"TLS-1.3" in got


def test_chasquids_mail_reaches_us_over_starttls(postern, chasquid):
    postern.start()
    sent = odd_but_common()
    chasquid.send("bob@example.org", sent)
    got, = postern.wait_for_mail(1)
    assert got.endswith(sent)
    assert "with ESMTPS" in top_received(got) and "TLSv1.3" in top_received(got)
