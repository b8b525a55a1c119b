"""Peers that mean harm: injection, smuggling, floods, and those who just never finish."""

import ssl
import threading
import time

import pytest

from harness.dialogue import Closed, Dialogue
from harness.mail import letter, without_trace
from harness.processes import eventually, resident_kib


def assert_still_serves(postern):
    """A stranger gets service as before, from the same processes."""
    with Dialogue(postern.port) as client:
        client.hello()
        client.starttls()
        assert client.message(letter(subject="still here")).code == 250
    eventually(lambda: any(b"still here" in m for m in postern.mailbox()), 10, "mail is still delivered")


@pytest.fixture
def unharmed(gate):
    """The running instance, of which no process dies during the test."""
    before = gate.workers()
    yield gate
    assert gate.workers() == before
    assert_still_serves(gate)


# --- around STARTTLS -------------------------------------------------------------


@pytest.mark.parametrize("injected", [b"NOOP\r\n", b"MAIL FROM:<evil@example.net>\r\n",
                                      b"EHLO x\r\nMAIL FROM:<evil@example.net>\r\n"],
                         ids=["NOOP", "MAIL", "EHLO and MAIL"])
def test_commands_injected_behind_starttls_are_never_executed(unharmed, injected):
    # STARTTLS-010, -012 (P3)
    with Dialogue(unharmed.port) as client:
        client.hello()
        client.send(b"STARTTLS\r\n" + injected)
        try:
            answer = client.reply()
            if answer.code != 220:
                return                      # refused: nothing of it was executed
            client.wrap()
            client.send("NOOP\r\n")
            assert client.reply().code == 250
            assert client.is_silent(0.5)    # exactly one answer
            assert client.command("RCPT TO:<bob@example.org>").code == 503
        except (Closed, ssl.SSLError, ConnectionError):
            pass                            # dropped: the default


def test_a_bad_handshake_ends_the_connection(unharmed):
    # STARTTLS-013
    with Dialogue(unharmed.port) as client:
        client.hello()
        client.expect(220, "STARTTLS")
        client.send(b"MAIL FROM:<a@example.net>\r\n" * 3)
        assert client.is_closed()


def test_old_protocols_are_refused(unharmed):
    # STARTTLS-095
    for version in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
        with Dialogue(unharmed.port) as client:
            client.hello()
            client.expect(220, "STARTTLS")
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            context.set_ciphers("ALL:@SECLEVEL=0")
            context.minimum_version = context.maximum_version = version
            with pytest.raises((ssl.SSLError, ConnectionError)):
                context.wrap_socket(client.socket)


def test_tls_1_2_is_spoken(unharmed):
    # STARTTLS-095
    with Dialogue(unharmed.port) as client:
        client.hello()
        client.starttls(maximum_version=ssl.TLSVersion.TLSv1_2)
        assert client.socket.version() == "TLSv1.2"
        assert client.message(letter()).code == 250


def test_no_session_ticket_is_given_on_an_mx_listener(unharmed):
    # field lessons: outlook.com could not deliver to servers that gave tickets on port 25.
    with Dialogue(unharmed.port) as client:
        client.hello()
        client.starttls()
        client.command("NOOP")
        assert not client.socket.session.has_ticket


def test_starttls_with_an_argument_or_in_a_transaction_is_refused(unharmed):
    # STARTTLS-020, -025
    with Dialogue(unharmed.port) as client:
        client.hello()
        assert client.command("STARTTLS now").code == 501
        client.expect(250, "MAIL FROM:<a@example.net>")
        assert client.command("STARTTLS").code == 503


# --- smuggling ---------------------------------------------------------------------


FALSE_ENDS = {"LF.LF": b"\n.\n", "LF.CRLF": b"\n.\r\n", "CRLF.LF": b"\r\n.\n", "CR.CR": b"\r.\r", "CR.CRLF": b"\r.\r\n",
              "CRLF.CR": b"\r\n.\r", "CRLF.CRCRLF": b"\r\n.\r\r\n", "LF.CR": b"\n.\r"}


@pytest.mark.parametrize("end", FALSE_ENDS)
def test_no_false_end_of_data_smuggles_a_second_message(unharmed, end):
    # SMTP-040, -041, -042, -051
    smuggled = (b"MAIL FROM:<admin@example.org>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\n"
                b"Subject: smuggled\r\n\r\nsmuggled\r\n.\r\n")
    with Dialogue(unharmed.port) as client:
        client.hello()
        client.envelope()
        client.expect(354, "DATA")
        client.send(b"Subject: first\r\n\r\nfirst" + FALSE_ENDS[end] + smuggled)
        answer = client.reply()
        assert (answer.code, answer.status) == (550, "5.6.0"), answer
        assert client.is_closed()
    assert not unharmed.mailbox() and not unharmed.waiting()


@pytest.mark.parametrize("newline", [b"\n", b"\r"], ids=["LF", "CR"])
def test_a_bare_newline_in_a_message_is_refused(unharmed, newline):
    # SMTP-042
    with Dialogue(unharmed.port) as client:
        client.hello()
        client.envelope()
        client.expect(354, "DATA")
        client.send(b"Subject: x\r\n\r\none" + newline + b"two\r\n.\r\n")
        assert client.reply().code == 550
    assert not unharmed.mailbox()


def test_a_bare_newline_does_not_end_a_command(unharmed):
    # SMTP-040
    with Dialogue(unharmed.port) as client:
        client.hello()
        client.send(b"NOOP\n")
        assert client.is_silent(0.5)
        client.send(b"MAIL FROM:<a@example.net>\r\n")
        assert client.reply().code // 100 == 5


# --- too much ------------------------------------------------------------------------


def test_ten_thousand_recipients_are_answered_one_by_one(unharmed):
    # SMTP-064, -200: over the limit each is refused, none dropped in silence.
    with Dialogue(unharmed.port, seconds=60) as client:
        client.hello()
        client.expect(250, "MAIL FROM:<a@example.net>")
        writer = threading.Thread(target=client.send, args=(
            b"".join(b"RCPT TO:<user%d@example.org>\r\n" % n for n in range(10_000)),))
        writer.start()
        answers = [client.reply() for _ in range(10_000)]
        writer.join()
        assert [a.code for a in answers] == [250] * 1000 + [452] * 9000
        assert answers[-1].status == "4.5.3"


def test_a_message_for_a_thousand_reaches_them_all(gate):
    # SMTP-064
    people = [f"user{n}@example.org" for n in range(1000)]
    with Dialogue(gate.port, seconds=60) as client:
        client.hello()
        assert client.message(letter(), "alice@example.net", *people).code == 250
    gate.wait_for_mail(1000, seconds=60)
    gate.wait_until_empty()
    assert len(gate.mailbox()) == 1000


def memory(postern):
    return {name: resident_kib(pid) for name, pid in postern.workers().items()}


def assert_memory_grew_little(postern, before, kib=24 * 1024):
    after = memory(postern)
    grown = {name: after[name] - before[name] for name in before}
    assert max(grown.values()) < kib, grown


@pytest.mark.parametrize("where", ["in a message", "as a command"])
def test_a_line_of_a_hundred_megabytes_costs_no_memory(unharmed, where):
    # SMTP-066, -067, -051
    before = memory(unharmed)
    piece = b"x" * 1_000_000
    peak = dict(before)
    with Dialogue(unharmed.port, seconds=60) as client:
        client.hello()
        if where == "in a message":
            client.envelope()
            client.expect(354, "DATA")
        try:
            for n in range(100):
                client.send(piece)
                if n % 10 == 0:
                    peak = {k: max(v, peak[k]) for k, v in memory(unharmed).items()}
            client.send(b"\r\n.\r\n" if where == "in a message" else b"\r\n")
            assert client.reply().code in ((552, 550, 554) if where == "in a message" else (500,))
        except (Closed, ConnectionError):
            assert where == "as a command"      # a cut-off is an answer too (SMTP-015)
    assert max(peak[k] - before[k] for k in before) < 24 * 1024
    assert_memory_grew_little(unharmed, before)
    assert not unharmed.mailbox()


def test_a_message_over_the_limit_is_read_to_its_end_and_refused_once(postern):
    # SMTP-051, -190, -191, -193
    postern.limits["message-size"] = 100_000
    postern.start()
    with Dialogue(postern.port) as client:
        client.hello()
        assert client.command("MAIL FROM:<a@example.net> SIZE=100001").code == 552
        client.envelope()
        client.expect(354, "DATA")
        client.send(b"x" * 70 + b"\r\n" + b"QUIT\r\n" * 40_000 + b".\r\n")
        answer = client.reply()
        assert (answer.code, answer.status) == (552, "5.3.4")
    with Dialogue(postern.port) as client:
        client.hello()
        body = (b"z" * 98 + b"\r\n") * 1000
        assert len(body) == 100_000
        client.expect(250, "MAIL FROM:<a@example.net> SIZE=100000")
        client.expect(250, "RCPT TO:<bob@example.org>")
        client.expect(354, "DATA")
        client.send(body + b".\r\n")
        assert client.reply().code == 250
    postern.wait_for_mail(1)


def test_junk_is_answered_a_while_and_then_cut_off(unharmed):
    # SMTP-010, -030
    with Dialogue(unharmed.port) as client:
        client.hello()
        codes = []
        try:
            for _ in range(60):
                codes.append(client.command("JUNK").code)
        except (Closed, ConnectionError):
            pass
        assert 10 <= len(codes) <= 40 and set(codes[:-1]) == {500} and codes[-1] == 421


@pytest.mark.parametrize("junk", [b"\0" * 5000 + b"\r\n", bytes(range(256)) * 40, b"\r\n" * 3000,
                                  b"EHLO " + b"a" * 600 + b"\r\n", b"MAIL FROM:<" + b"<" * 400 + b">\r\n",
                                  "MAIL FROM:<é@example.net>\r\n".encode()],
                         ids=["NULs", "every byte", "empty lines", "long EHLO", "brackets", "UTF-8"])
def test_binary_junk_harms_nobody(unharmed, junk):
    # SMTP-026, -029, -030 (P5)
    with Dialogue(unharmed.port) as client:
        try:
            client.send(junk)
            client.send(b"\r\nQUIT\r\n")
        except ConnectionError:
            pass
        assert client.is_closed()


def test_one_client_cannot_take_every_connection(postern):
    postern.limits["connections-per-client"] = 5
    postern.inbound = 1
    postern.start()
    open_ones = [Dialogue(postern.port, source="127.0.0.7") for _ in range(5)]
    assert all(c.greeting.code == 220 for c in open_ones)
    with Dialogue(postern.port, source="127.0.0.7") as one_more:
        assert one_more.greeting.code == 421
    with Dialogue(postern.port, source="127.0.0.8") as another:
        assert another.greeting.code == 220
    for c in open_ones:
        c.close()
    eventually(lambda: _greeted(postern, "127.0.0.7") == 220, 5, "a place becomes free")


def _greeted(postern, source):
    with Dialogue(postern.port, source=source) as client:
        return client.greeting.code


# --- too slow ------------------------------------------------------------------------


@pytest.fixture
def impatient(postern):
    """Time limits of a second or two."""
    postern.limits.update({"command-time": 1, "data-time": 1, "transfer-time": 3, "handshake-time": 1})
    return postern.start()


def test_a_client_that_says_nothing_is_sent_away(impatient):
    # SMTP-082, -015
    with Dialogue(impatient.port) as client:
        began = time.monotonic()
        assert client.reply().code == 421
        assert client.is_closed() and 0.5 < time.monotonic() - began < 5


def test_a_client_that_stalls_in_a_message_is_sent_away(impatient):
    with Dialogue(impatient.port) as client:
        client.hello()
        client.envelope()
        client.expect(354, "DATA")
        client.send(b"Subject: and then\r\n")
        assert client.is_closed(5)
    assert not impatient.mailbox()


def test_a_client_that_trickles_a_message_is_cut_off(impatient):
    # one byte now and then never runs into data-time; transfer-time ends it.
    with Dialogue(impatient.port) as client:
        client.hello()
        client.envelope()
        client.expect(354, "DATA")
        began = time.monotonic()
        with pytest.raises((ConnectionError, AssertionError)):
            while time.monotonic() - began < 12:
                client.send(b"x")
                time.sleep(0.2)
                assert client.is_silent(0.1)
        assert time.monotonic() - began < 10


def test_a_client_that_trickles_a_command_is_cut_off(impatient):
    with Dialogue(impatient.port) as client:
        began = time.monotonic()
        with pytest.raises((ConnectionError, AssertionError)):
            while time.monotonic() - began < 12:
                client.send(b"N")
                time.sleep(0.2)
                assert client.is_silent(0.1)
        assert time.monotonic() - began < 8


def test_a_stalled_handshake_is_cut_off(impatient):
    # STARTTLS-014
    with Dialogue(impatient.port) as client:
        client.hello()
        client.expect(220, "STARTTLS")
        client.send(b"\x16\x03\x01")
        assert client.is_closed(5)
    with Dialogue(impatient.submissions_port, greet=False) as client:
        assert client.is_closed(5)


def test_five_hundred_silent_clients_do_not_keep_others_out(postern):
    # SMTP-067
    postern.limits["connections-per-client"] = 1000
    postern.start()
    before = memory(postern)
    crowd = [Dialogue(postern.port) for _ in range(500)]
    assert_still_serves(postern)
    per_session = (sum(memory(postern).values()) - sum(before.values())) / 500
    assert per_session < 128, f"{per_session} KiB for an idle session"
    for c in crowd:
        c.close()


def test_a_message_read_slowly_by_its_host_still_arrives(postern, sink):
    # SMTP-204: a host that answers late and reads little at a time.
    sink.pause = 0.05
    postern.relay_to(sink)
    postern.start()
    sent = letter(body=("0123456789" * 7 + "\r\n") * 20_000)
    with Dialogue(postern.submission_port) as client:
        client.hello()
        client.starttls()
        assert client.message(sent, "alice@example.org", *[f"user{n}@example.net" for n in range(60)]).code == 250
    assert without_trace(sink.wait(1, seconds=30)[0].message) == sent
