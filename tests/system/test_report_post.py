"""TLS reports that others post over HTTPS (TLSRPT-096): what curl and what strangers are answered, and what is kept."""

import gzip
import json
import os
import re
import shutil
import signal
import socket
import ssl
import threading
import time

import pytest

from harness.postern import section
from harness.processes import command_line, descendants, eventually, free_port, run

JSON, GZIP = "application/tlsrpt+json", "application/tlsrpt+gzip"
MEGABYTE = 1024 * 1024


def report(name="1", domain="example.org", failures=0):
    """A report as the example of RFC 8460 appendix B has it."""
    policy = {"policy": {"policy-type": "no-policy-found", "policy-domain": domain},
              "summary": {"total-successful-session-count": 10, "total-failure-session-count": failures}}
    if failures:
        policy["failure-details"] = [{"result-type": "certificate-expired", "failed-session-count": failures}]
    return json.dumps({
        "organization-name": "Example Net", "contact-info": "tls-reports@example.net", "report-id": f"{name}@example.net",
        "date-range": {"start-datetime": "2026-11-20T00:00:00Z", "end-datetime": "2026-11-20T23:59:59Z"},
        "policies": [policy]}).encode()


class Web:
    """One instance that takes reports, and clients of it."""

    def __init__(self, postern, place, authority):
        self.postern, self.place, self.authority = postern, place, authority
        self.port = free_port()
        plain = postern.configuration
        postern.configuration = lambda: plain() + section("web", {"listen": [f"127.0.0.1:{self.port}"]}) + "\n"
        postern.start()

    def process(self, kind):
        """Its pid."""
        return next(pid for pid in descendants(self.postern.process.pid)
                    if re.fullmatch(rf"(postern: )?{kind}(\.0)?", command_line(pid)))

    def curl(self, body, kind=JSON, *options, path="/tlsrpt"):
        """(status, answer) of a POST by curl, which checks our certificate; body None: whatever the options make of it."""
        if not shutil.which("curl"):
            pytest.skip("curl is not installed")
        file = self.place / "body"
        data = []
        if body is not None:
            file.write_bytes(body)
            data = ["--data-binary", f"@{file}", "-H", f"Content-Type: {kind}"]
        done = run(["curl", "--silent", "--show-error", "--max-time", "20", "--noproxy", "*", "--cacert", self.authority.file,
                    "--resolve", f"mx.example.org:{self.port}:127.0.0.1", *data, *options, "-w", "\n%{http_code}",
                    f"https://mx.example.org:{self.port}{path}"])
        assert done.returncode == 0, done.stderr
        text, _, status = done.stdout.rpartition("\n")
        return int(status), text

    def connect(self, tls=True, timeout=15):
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=timeout)
        if not tls:
            return plain
        context = ssl.create_default_context(cafile=self.authority.file)
        return context.wrap_socket(plain, server_hostname="mx.example.org")

    def say(self, *parts, tls=True, pause=0.0):
        """Everything that is answered until the connection ends, to bytes sent by hand."""
        heard = b""
        with self.connect(tls) as s:
            try:
                for part in parts:
                    s.sendall(part)
                    time.sleep(pause)
            except OSError:
                pass        # we may be cut off in the middle: what was said before counts
            while True:
                try:
                    more = s.recv(65536)
                except (ConnectionError, ssl.SSLError):
                    break
                if not more:
                    break
                heard += more
        return heard

    def post_by_hand(self, body, *fields):
        head = [b"POST /tlsrpt HTTP/1.1", b"Host: mx.example.org", b"Connection: close",
                b"Content-Type: " + JSON.encode(), *fields]
        return b"\r\n".join(head) + b"\r\n\r\n" + body


@pytest.fixture
def web(postern, place, authority):
    return Web(postern, place, authority)


def status_of(heard):
    """Of the only answer in it."""
    assert heard.count(b"HTTP/1.1 ") == 1, heard
    return int(heard.split(b" ", 2)[1])


# --- what is taken ---------------------------------------------------------------------


def test_reports_of_both_types_are_kept_once_and_outlive_us(web):
    # TLSRPT-071, -092, -096
    assert web.curl(report("a"))[0] == 201
    assert web.curl(gzip.compress(report("b")), GZIP)[0] == 201
    assert web.curl(report("a"))[0] == 200
    assert web.curl(gzip.compress(report("a")), GZIP)[0] == 200
    web.postern.kill_all()
    web.postern.start()
    assert web.curl(report("a"))[0] == 200 and web.curl(report("b"))[0] == 200
    assert web.curl(report("c"))[0] == 201
    got = web.postern.events("report.received")
    assert [e["report"] for e in got] == ["a@example.net", "b@example.net", "c@example.net"]
    assert {(e["by"], e["signed"], e["domain"], e["from"]) for e in got} == {
        ("https", "false", "example.org", "example.net")}


def test_the_type_may_have_parameters_and_any_case(web):
    assert web.curl(report("a"), "Application/TLSRPT+JSON; charset=utf-8")[0] == 201


def test_a_body_in_chunks_and_one_that_asks_first_are_taken(web):
    assert web.curl(report("a"), JSON, "-H", "Transfer-Encoding: chunked")[0] == 201
    assert web.curl(report("b"), JSON, "-H", "Expect: 100-continue")[0] == 201
    assert web.curl(report("c"), JSON, "--http1.0")[0] == 201
    assert web.curl(report("d"), JSON, "--http2")[0] == 201


def test_a_report_about_others_is_refused(web):
    # TLSRPT-095: nobody vouches for it, so there is nothing to put aside
    assert web.curl(report("a", domain="example.com"))[0] == 403
    assert web.postern.events("report.refused") and not web.postern.events("report.received")


# --- what is not -------------------------------------------------------------------------


def test_other_methods_types_and_paths_are_told_so(web):
    # TLSRPT-096
    status, _ = web.curl(None)
    assert status == 405
    for method in ("PUT", "DELETE", "OPTIONS"):
        assert web.curl(None, JSON, "-X", method)[0] == 405
    assert b"\r\nAllow: POST\r\n" in web.say(b"GET /tlsrpt HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert web.curl(report(), "application/json")[0] == 415
    assert web.curl(report(), "text/plain")[0] == 415
    assert web.curl(report(), JSON, path="/")[0] == 404
    assert web.curl(report(), JSON, path="/tlsrpt/../../etc/passwd")[0] == 404
    assert not web.postern.events("report.received")


def test_what_is_no_report_is_a_bad_request_and_says_why(web):
    # TLSRPT-093
    for body in (b"", b"{}", b"[]", b"hello", report()[:-1], gzip.compress(report())[:-9], b"[" * 100000):
        status, answer = web.curl(body, GZIP)
        assert status == 400 and answer.strip(), body[:40]
    refused = web.postern.events("report.refused")
    assert len(refused) == 7 and {e["client"] for e in refused} == {"127.0.0.1"}
    assert "hello" not in web.postern.text()


def test_too_much_is_refused_with_and_without_its_length(web):
    # TLSRPT-096
    large = b" " * (10 * MEGABYTE + 1)
    assert web.curl(large)[0] == 413
    assert web.curl(large, JSON, "-H", "Transfer-Encoding: chunked")[0] == 413
    assert web.curl(large, JSON, "-H", "Expect:")[0] == 413
    assert web.curl(b" " * (10 * MEGABYTE - 2000) + report())[0] == 201


def test_a_bomb_does_no_harm(web):
    # TLSRPT-093: 1000 to 1
    start = time.monotonic()
    assert web.curl(gzip.compress(b" " * 200 * MEGABYTE), GZIP)[0] in (400, 413)
    assert time.monotonic() - start < 10
    assert web.curl(report())[0] == 201


def test_requests_that_can_be_read_in_two_ways_are_refused(web):
    body = report()
    length = b"Content-Length: %d" % len(body)
    assert status_of(web.say(web.post_by_hand(body, length, b"Transfer-Encoding: chunked"))) == 400
    assert status_of(web.say(web.post_by_hand(body, length, b"Content-Length: 3"))) == 400
    assert status_of(web.say(web.post_by_hand(body))) == 411
    assert status_of(web.say(web.post_by_hand(body, b"Transfer-Encoding: gzip"))) == 501
    assert status_of(web.say(web.post_by_hand(body, b"Content-Length: -1"))) == 400
    assert status_of(web.say(web.post_by_hand(body, b"Content-Length: 99999999999999999999"))) == 413
    assert status_of(web.say(web.post_by_hand(body, length))) == 201


def test_requests_behind_each_other_are_answered_in_order(web):
    def request(body):
        return (b"POST /tlsrpt HTTP/1.1\r\nHost: x\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n"
                % (JSON.encode(), len(body))) + body
    heard = web.say(request(report("a")) + request(report("a")) + request(b"{}") + b"GET /tlsrpt HTTP/1.1\r\nHost: x\r\n\r\n")
    statuses = [int(part[:3]) for part in heard.split(b"HTTP/1.1 ")[1:]]
    assert statuses == [201, 200, 400, 405]


# --- those who do not mean well ------------------------------------------------------------


def test_what_is_not_tls_and_what_is_not_http_end_at_once(web):
    assert b"HTTP/" not in web.say(b"GET /tlsrpt HTTP/1.1\r\n\r\n", tls=False)
    web.say(os.urandom(5000), tls=False)
    assert status_of(web.say(bytes(range(1, 256)) + b"\r\n\r\n")) == 400
    assert status_of(web.say(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")) == 505
    assert status_of(web.say(b"POST /tlsrpt HTTP/1.1\r\n" + b"X: y\r\n" * 20000)) == 431
    assert web.curl(report())[0] == 201


def test_a_client_that_dribbles_is_cut_off(web):
    # its head must be there ten seconds after its first byte, however it goes on
    start = time.monotonic()
    heard = web.say(*[b"POST /tlsrpt HTTP/1.1\r\n"] + [b"X-%d: y\r\n" % i for i in range(30)], pause=0.5)
    assert time.monotonic() - start < 20
    assert status_of(heard) == 408


def test_clients_that_go_in_the_middle_leave_nothing_behind(web):
    for _ in range(30):
        with web.connect() as s:
            s.sendall(web.post_by_hand(b"x" * 100000, b"Content-Length: 5000000"))
    assert web.curl(report())[0] == 201
    pid = web.process("web")
    eventually(lambda: len(os.listdir(f"/proc/{pid}/fd")) < 40, 5, "their connections are closed")


def test_many_at_once_are_served(web):
    answers = []

    def visit():
        answers.append(status_of(web.say(b"GET /tlsrpt HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")))
    threads = [threading.Thread(target=visit) for _ in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [405] * 30


def test_a_client_has_no_more_places_than_its_share(web):
    held = [web.connect() for _ in range(32)]
    with pytest.raises(OSError):
        web.connect()
    for s in held:
        s.close()
    eventually(lambda: web.curl(report())[0] in (200, 201), 5, "there is room again")


def test_who_asks_too_often_is_told_when_to_come_again(web):
    statuses = [status_of(web.say(web.post_by_hand(b"{}", b"Content-Length: 2"))) for _ in range(70)]
    assert statuses[:60] == [400] * 60 and statuses[-1] == 429
    assert b"\r\nRetry-After: " in web.say(web.post_by_hand(b"{}", b"Content-Length: 2"))
    assert len([e for e in web.postern.events("report.refused") if e["status"] == "429"]) < 8


def test_while_the_store_is_away_the_sender_is_asked_to_come_again(web):
    # P1: 201 means that it is on disk
    pid = web.process("store")
    os.kill(pid, signal.SIGSTOP)
    try:
        heard = web.say(web.post_by_hand(report(), b"Content-Length: %d" % len(report())))
    finally:
        os.kill(pid, signal.SIGCONT)
    assert status_of(heard) == 503 and b"\r\nRetry-After: 60\r\n" in heard
    assert web.curl(report())[0] in (200, 201)


def test_a_reload_keeps_taking_reports(web):
    with web.connect() as s:
        body = report("slow")
        s.sendall(web.post_by_hand(body[:10], b"Content-Length: %d" % len(body)))
        time.sleep(0.5)         # it is under way, and not a connection that asks for nothing
        web.postern.reload()
        eventually(lambda: len(web.postern.events("ready")) > 1, 10, "the next generation is there")
        assert web.curl(report("next"))[0] == 201
        s.sendall(body[10:])
        assert s.recv(100).startswith(b"HTTP/1.1 201 ")


def test_it_ends_soon_although_clients_are_there(web):
    held = [web.connect() for _ in range(5)]
    with web.connect() as s:
        s.sendall(web.post_by_hand(b"{", b"Content-Length: 1000"))
        start = time.monotonic()
        web.postern.stop()
        assert time.monotonic() - start < 15
    for s in held:
        s.close()
