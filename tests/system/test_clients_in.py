"""Mail from real clients: over STARTTLS and over TLS from the first byte."""

import pytest

from harness import clients
from harness.dialogue import Closed, Dialogue
from harness.mail import header, letter, odd_letters, top_received, trace_of, without_trace

pytestmark = pytest.mark.usefixtures("gate")


@pytest.mark.parametrize("client", clients.ALL, ids=lambda c: c.__name__)
def test_a_client_hands_in_mail_over_starttls_and_it_arrives_byte_for_byte(postern, place, client):
    # SMTP-040, -045, -052, -150, -151, STARTTLS-029
    sent = letter(body="..two dots\r\n.\r\nend\r\n")
    (place / "message").write_bytes(sent)
    client(postern.port, place / "message", "bob@example.org")
    got, = postern.wait_for_mail(1)
    assert without_trace(got, return_path=True) == sent
    assert "with ESMTPS" in top_received(got) and "TLSv1.3" in top_received(got)


@pytest.mark.parametrize("client", clients.ALL, ids=lambda c: c.__name__)
def test_a_client_hands_in_mail_over_implicit_tls(postern, place, client):
    # STARTTLS-035, -039, SMTP-170
    sent = letter()
    (place / "message").write_bytes(sent)
    client(postern.submissions_port, place / "message", "bob@example.org", implicit_tls=True)
    got, = postern.wait_for_mail(1)
    assert without_trace(got, return_path=True) == sent
    assert "with ESMTPS" in top_received(got)


def test_mail_in_clear_is_taken_on_an_mx_listener(postern):
    # STARTTLS-022
    sent = letter()
    with Dialogue(postern.port) as client:
        client.hello()
        assert client.message(sent).code == 250
    got, = postern.wait_for_mail(1)
    assert without_trace(got, return_path=True) == sent
    assert "with ESMTP" in top_received(got) and "ESMTPS" not in top_received(got)


def test_helo_is_taken_and_named_in_the_trace(postern):
    # SMTP-002, -151
    with Dialogue(postern.port) as client:
        client.expect(250, "HELO old.example.net")
        assert client.message(letter()).code == 250
    trace = top_received(postern.wait_for_mail(1)[0])
    assert "old.example.net" in trace and "with SMTP" in trace


def test_the_trace_names_client_server_protocol_id_and_recipient(postern):
    # SMTP-150, -152, -153, STARTTLS-029
    with Dialogue(postern.port, source="127.0.0.9") as client:
        client.hello("laptop.example.net")
        client.starttls()
        client.hello("laptop.example.net")
        answer = client.message(letter())
    got, = postern.wait_for_mail(1)
    assert [name for name, _ in trace_of(got)] == ["return-path", "received"]
    assert header(got, "Return-Path") == "<alice@example.net>"
    trace = top_received(got)
    for word in ("from laptop.example.net", "[127.0.0.9]", "by mx.example.org", "with ESMTPS", "TLSv1.3",
                 "TLS_AES_256_GCM_SHA384", "for <bob@example.org>"):
        assert word in trace, trace
    queue_id = trace.split(" id ")[1].split(" ")[0].rstrip(";")
    assert queue_id in answer.text


def test_two_recipients_are_not_told_of_each_other(postern):
    # SMTP-152
    with Dialogue(postern.port) as client:
        client.hello()
        assert client.message(letter(), "alice@example.net", "bob@example.org", "carol@example.org").code == 250
    for got in postern.wait_for_mail(2):
        assert " for " not in top_received(got)


def test_every_odd_message_arrives_byte_for_byte(postern):
    # SMTP-044, -045, -052, -061, -063, -215
    letters = odd_letters()
    with Dialogue(postern.port) as client:
        client.hello()
        client.starttls()
        for number, (what, sent) in enumerate(letters.items()):
            answer = client.message(sent, f"odd-{number}@example.net")
            assert answer.code == 250, f"{what}: {answer}"
    got = {header(m, "Return-Path"): m for m in postern.wait_for_mail(len(letters))}
    for number, (what, sent) in enumerate(letters.items()):
        assert without_trace(got[f"<odd-{number}@example.net>"], return_path=True) == sent, what


def test_a_message_without_a_final_line_end_cannot_be_told_from_one_with(postern):
    # SMTP-045: the CRLF before the final dot belongs to the message.
    with Dialogue(postern.port) as client:
        client.hello()
        client.envelope()
        client.expect(354, "DATA")
        client.send(b"Subject: x\r\n\r\nno end of line\r\n.\r\n")
        assert client.reply().code == 250
    assert postern.wait_for_mail(1)[0].endswith(b"\r\nno end of line\r\n")


def test_the_dots_are_found_however_the_bytes_are_cut(postern):
    # SMTP-044: state is kept across reads of any size.
    sent = letter(body="a\r\n.\r\n..\r\n.b\r\n")
    wire = sent.replace(b"\r\n.", b"\r\n..") + b".\r\n"
    with Dialogue(postern.port) as client:
        client.hello()
        for cut in range(len(wire) - 20, len(wire)):
            client.envelope()
            client.expect(354, "DATA")
            client.send(wire[:cut])
            assert client.is_silent(0.02)
            client.send(wire[cut:])
            assert client.reply().code == 250
    for got in postern.wait_for_mail(20):
        assert without_trace(got, return_path=True) == sent


def test_pipelined_commands_are_answered_one_by_one_in_order(postern):
    # SMTP-005, -200, -201
    with Dialogue(postern.port) as client:
        assert "PIPELINING" in client.hello()
        client.send(b"MAIL FROM:<a@example.net>\r\n" + b"RCPT TO:<bob@example.org>\r\n" * 300 + b"RSET\r\nNOOP\r\n")
        codes = [client.reply().code for _ in range(303)]
        assert codes == [250] * 303


def test_the_keywords_offered_differ_before_and_after_tls(postern):
    # STARTTLS-003, SMTP-019
    with Dialogue(postern.port) as client:
        before = client.hello()
        assert {"PIPELINING", "SIZE", "8BITMIME", "ENHANCEDSTATUSCODES", "STARTTLS"} <= set(before)
        after = client.starttls()
        assert "STARTTLS" not in after and set(before) - {"STARTTLS"} <= set(after)
        assert client.command("STARTTLS").code == 503


def test_what_was_said_before_tls_is_forgotten(postern):
    # STARTTLS-001 (P3)
    with Dialogue(postern.port) as client:
        client.hello()
        client.expect(220, "STARTTLS")
        client.wrap()
        assert client.command("MAIL FROM:<a@example.net>").code == 503


def test_implicit_tls_says_nothing_in_clear(postern):
    # STARTTLS-039
    with Dialogue(postern.submissions_port, greet=False) as client:
        assert client.is_silent(0.5)
        client.send("EHLO client.example.net\r\n")
        assert client.is_closed()
    with Dialogue(postern.submissions_port, implicit_tls=True) as client:
        assert client.greeting.code == 220
        assert "STARTTLS" not in client.hello()


def test_postern_send_hands_in_a_message(postern, place):
    sent = letter()
    (place / "message").write_bytes(sent)
    done = postern.command("send", "--server", f"127.0.0.1:{postern.port}", "--from", "alice@example.net",
                           "--to", "bob@example.org", "--tls", "encrypt", place / "message")
    assert done.returncode == 0, done.stdout + done.stderr
    got, = postern.wait_for_mail(1)
    assert without_trace(got, return_path=True) == sent
    assert "with ESMTPS" in top_received(got)


def test_a_client_that_resets_the_connection_before_the_answer_leaves_no_message(postern):
    # SMTP-017: the open transaction is dropped.
    client = Dialogue(postern.port)
    client.hello()
    client.envelope()
    client.expect(354, "DATA")
    client.send(letter() * 10)
    client.reset_connection()
    with Dialogue(postern.port) as other:
        other.hello()
        other.message(letter(identity="the-other"))
    got, = postern.wait_for_mail(1)
    assert b"the-other" in got
    assert len(postern.mailbox()) == 1


def test_quit_is_answered_and_the_connection_closed(postern):
    # SMTP-015
    with Dialogue(postern.port) as client:
        client.hello()
        assert client.command("QUIT").code == 221
        try:
            client.line()
            raise AssertionError("it still speaks")
        except Closed:
            pass
