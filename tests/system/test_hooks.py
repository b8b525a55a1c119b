"""Hooks: the operator is told of events, by webhook and by command; once, not too often, and whatever fails on the way."""

import base64
import json
import os
import signal
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from cryptography.hazmat.primitives import serialization

from harness.mail import letter
from harness.processes import command_line, descendants, eventually

FIELDS = ["event", "subject", "host", "first", "last", "count", "what", "policy", "reason", "relay"]


class Webhook:
    """Takes what is posted to it. `status` is what it answers next; `silent`, and it answers nothing."""

    def __init__(self):
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                hook.calls.append((time.time(), self.path, dict(self.headers), json.loads(body), hook.status))
                if hook.silent:
                    time.sleep(60)
                self.send_response(hook.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.calls, self.status, self.silent = [], 200, False
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/postern?key=1"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def events(self, kind=None):
        return [event for _, _, _, event, _ in self.calls if kind in (None, event["event"])]

    def wait(self, count=1, seconds=15):
        eventually(lambda: len(self.calls) >= count, seconds, lambda: f"{count} calls; there were {self.calls}")
        return self.events()


@pytest.fixture
def webhook():
    hook = Webhook()
    yield hook
    hook.server.shutdown()


@pytest.fixture
def gate(new_postern, sink):
    """A postern, not yet started. Mail for example.net must go over TLS, to a sink that offers none."""
    sink.starttls = "absent"
    instance = new_postern("gate")
    instance.relay_to(sink, level="encrypt")
    return instance


def block(gate, count=1, domain="example.net"):
    for _ in range(count):
        gate.hand_in(letter(), f"carol@{domain}")
    gate.wait_until_deferred(count)


def hooks_process(gate):
    """The pid of the process that calls hooks; None: there is none."""
    found = [p for p in descendants(gate.process.pid) if command_line(p) in ("hooks", "postern: hooks")]
    return found[0] if found else None


def test_a_blocked_domain_rings_a_webhook(gate, webhook, sink):
    gate.sections['hook "pager"'] = {"events": ["blocked"], "url": webhook.url}
    gate.start()
    began = time.time()
    block(gate)
    event = webhook.wait()[0]
    _, path, headers, _, _ = webhook.calls[0]
    assert list(event) == FIELDS
    assert event["event"] == "blocked" and event["subject"] == sink.address and event["host"] == "mx.example.org"
    assert event["reason"] == "E_STARTTLS_NOT_OFFERED" and event["count"] >= 1 and event["what"].startswith("mail to ")
    assert path == "/postern?key=1" and headers["Content-Type"] == "application/json" and headers["User-Agent"] == "postern"
    assert time.time() - began < 10
    told = eventually(lambda: gate.events("hook.told"), 5, "it is in the log")
    assert told[0]["hook"] == "pager" and told[0]["subject"] == sink.address


def test_a_command_gets_the_event_too(gate, place, sink):
    place.chmod(0o777)
    script = place / "tell-admin"
    script.write_text(f'#!/bin/sh\ncd {place}\necho "$@" >arguments\nenv >variables\ncat >new && mv new json\n')
    script.chmod(0o755)
    gate.sections['hook "mail"'] = {"command": [str(script), "--urgent", "`id`; id"]}
    gate.start()
    block(gate)
    eventually(lambda: (place / "json").exists(), 10, "the command has run")
    event = json.loads((place / "json").read_text())
    assert list(event) == FIELDS and event["event"] == "blocked" and event["subject"] == sink.address
    variables = dict(line.split("=", 1) for line in (place / "variables").read_text().splitlines())
    assert variables["POSTERN_EVENT"] == "blocked" and variables["POSTERN_SUBJECT"] == sink.address
    assert variables["POSTERN_WHAT"] == event["what"] and variables["POSTERN_COUNT"] == str(event["count"])
    assert variables["HOME"] == "/" and not [v for v in variables if v.startswith(("SSL_", "PYTEST", "USER"))]
    assert (place / "arguments").read_text() == "--urgent `id`; id\n"


def test_a_thousand_held_messages_make_one_call(gate, webhook):
    gate.sections['hook "pager"'] = {"events": ["blocked"], "url": webhook.url, "every": 3600}
    gate.start()
    block(gate, 20)
    webhook.wait()
    time.sleep(5)                               # each is tried every two seconds
    assert len(webhook.calls) == 1
    assert len(gate.events("delivery.deferred")) > 20


def test_kinds_that_a_hook_does_not_want_are_not_told(gate, webhook, sink):
    gate.sections['hook "pager"'] = {"events": ["cleartext", "downgrade"], "url": webhook.url}
    gate.destinations["example.com"] = {**gate.destinations["example.net"], "tls": {"level": "may"}}
    gate.start()
    block(gate)
    gate.hand_in(letter(), "carol@example.com")
    sink.wait(1)
    assert webhook.wait()[0]["event"] == "cleartext"
    time.sleep(2)
    assert len(webhook.calls) == 1


def test_a_failed_call_is_repeated(gate, webhook):
    gate.sections['hook "pager"'] = {"events": ["blocked"], "url": webhook.url}
    webhook.status = 503
    gate.start()
    block(gate)
    webhook.wait()
    failed = eventually(lambda: gate.events("hook.failed"), 5, "it is in the log")[0]
    assert "answers with HTTP status 503" in failed["why"] and failed["again"]
    webhook.status = 204
    webhook.wait(2, 20)
    assert 9 <= webhook.calls[1][0] - webhook.calls[0][0] <= 13
    time.sleep(3)
    assert len(webhook.calls) == 2


def test_after_an_outage_the_oldest_event_is_told_first(gate, webhook, sink):
    gate.sections['hook "pager"'] = {"url": webhook.url, "events": ["blocked", "cleartext"]}
    gate.destinations["example.com"] = {**gate.destinations["example.net"], "tls": {"level": "may"}}
    webhook.status = 503
    gate.start()
    block(gate)
    webhook.wait()
    gate.hand_in(letter(), "carol@example.com")
    sink.wait(1)
    time.sleep(2)
    failed = gate.events("hook.failed")[0]
    webhook.status = 200
    first, again, other = webhook.wait(3, 20)
    assert first["event"] == again["event"] == "blocked" and other["event"] == "cleartext"
    assert other["reason"] == "E_STARTTLS_NOT_OFFERED"
    assert 9 <= webhook.calls[1][0] - webhook.calls[0][0] <= 13, failed


def test_a_reload_tries_at_once(gate, webhook):
    gate.sections['hook "pager"'] = {"events": ["blocked"], "url": webhook.url}
    webhook.status = 503
    gate.start()
    block(gate)
    webhook.wait(2, 20)                         # and now it would wait for 20 seconds
    webhook.status = 204
    eventually(lambda: len(gate.events("hook.failed")) == 2, 5, "it is in the log")
    gate.reload()
    webhook.wait(3, 8)


def test_a_command_that_is_not_there_is_dropped_at_once(gate):
    gate.sections['hook "mail"'] = {"command": ["/nonexistent/tell-admin"], "events": ["blocked"]}
    gate.start()
    block(gate)
    dropped = eventually(lambda: gate.events("hook.dropped"), 10, "it is in the log")[0]
    assert "cannot run /nonexistent/tell-admin: No such file or directory" in dropped["why"] and dropped["code"] == "E_USAGE"
    assert not gate.events("hook.failed")


def test_a_dead_hook_does_not_hold_up_another(gate, webhook, place):
    place.chmod(0o777)
    gate.sections['hook "a-dead"'] = {"url": "http://127.0.0.1:1/"}
    gate.sections['hook "b-slow"'] = {"command": ["/bin/sleep", "300"], "timeout": 60}
    gate.sections['hook "c-well"'] = {"url": webhook.url}
    gate.start()
    block(gate)
    assert webhook.wait(1, 10)[0]["event"] == "blocked"
    assert gate.events("hook.failed", hook="a-dead")


def test_a_killed_process_repeats_nothing(gate, webhook):
    gate.sections['hook "pager"'] = {"events": ["blocked"], "url": webhook.url}
    gate.start()
    block(gate)
    webhook.wait()
    eventually(lambda: gate.events("hook.told"), 5, "it was told")
    before = hooks_process(gate)
    os.kill(before, signal.SIGKILL)
    eventually(lambda: hooks_process(gate) not in (None, before), 10, "there is another")
    time.sleep(5)
    assert len(webhook.calls) == 1


def test_a_killed_process_forgets_nothing(gate, webhook):
    gate.sections['hook "pager"'] = {"events": ["blocked"], "url": webhook.url, "timeout": 1}
    webhook.silent = True
    gate.start()
    block(gate)
    webhook.wait()
    os.kill(hooks_process(gate), signal.SIGKILL)        # in the middle of the call
    webhook.silent = False
    webhook.wait(2, 30)
    assert webhook.events()[1]["subject"] == webhook.events()[0]["subject"]


def test_the_whole_of_postern_may_be_killed(gate, webhook):
    gate.sections['hook "pager"'] = {"events": ["blocked"], "url": webhook.url}
    gate.start()
    block(gate)
    webhook.wait()
    eventually(lambda: gate.events("hook.told"), 5, "it was told")
    time.sleep(1)
    gate.kill_all()
    gate.start()
    time.sleep(5)                               # the message is still held, and rung for
    assert gate.waiting() and len(webhook.calls) == 1


def test_a_reload_brings_hooks_and_takes_them_away(gate, webhook):
    gate.start()
    assert not hooks_process(gate)
    gate.sections['hook "pager"'] = {"events": ["blocked"], "url": webhook.url}
    gate.prepare()
    gate.reload()
    eventually(lambda: hooks_process(gate), 10, "there is a process for them")
    block(gate)
    webhook.wait()
    del gate.sections['hook "pager"']
    gate.prepare()
    gate.reload()
    eventually(lambda: not hooks_process(gate), 10, "it is gone")


def test_our_own_certificate_is_told_of_before_it_expires(gate, webhook):
    gate.sections["alarm"] = {"expiry": 100 * 86400}        # of the 90 days that it lives
    gate.sections['hook "pager"'] = {"events": ["certificate"], "url": webhook.url}
    gate.start()
    event = webhook.wait()[0]
    assert event["event"] == "certificate" and event["subject"] == "mx.example.org" and "expires in" in event["what"]
    assert gate.events("tls.certificate")


def test_mail_that_waits_too_long_is_told_of(gate, webhook):
    gate.sections['hook "pager"'] = {"events": ["queue-age"], "url": webhook.url}
    gate.retry["give-up"] = 10 * 86400
    gate.start()
    block(gate)
    gate.stop()
    gate.faketime = "+1d"
    gate.start()
    event = webhook.wait()[0]
    assert event["event"] == "queue-age" and event["subject"] == "mx.example.org"
    assert event["what"].startswith("the oldest message in the queue has waited for 24 h ")


def test_a_domain_of_the_lab_that_is_held_rings(lab, new_postern, webhook):
    gate = new_postern("gate").live_in(lab)
    gate.sections['hook "pager"'] = {"events": ["blocked"], "url": webhook.url}
    gate.start()
    gate.hand_in(letter(), "carol@sts-name-mx.lab.example")
    event = webhook.wait(1, 30)[0]
    assert event["subject"] == "sts-name-mx.lab.example" and event["policy"] == "mta-sts"
    assert event["reason"] == "E_CERT_NAME_MISMATCH" and event["relay"]


# --- the process ----------------------------------------------------------------------------


def memory_of(pid):
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb") as memory:
        for line in maps:
            area, rights = line.split()[:2]
            if rights.startswith("rw"):
                begin, end = (int(edge, 16) for edge in area.split("-"))
                memory.seek(begin)
                yield memory.read(end - begin)


def has_in_memory(pid, secret):
    return any(secret in area for area in memory_of(pid))


def numbers_of(key):
    """The private numbers of a key, as a library that works with it has them: in words, the lowest first."""
    private = serialization.load_pem_private_key(key.read_bytes(), None).private_numbers()
    numbers = [private.p, private.q] if hasattr(private, "p") else [private.private_value]
    return [n.to_bytes((n.bit_length() + 7) // 8, "little") for n in numbers]


@pytest.mark.skipif(os.geteuid() != 0, reason="reads the memory of others")
def test_private_keys_are_only_where_they_are_needed(gate, place):
    key = place / "dkim.pem"
    subprocess.run(["openssl", "genrsa", "-out", key, "2048"], check=True, capture_output=True)
    gate.sections['dkim "example.org"'] = {"selector": "s1", "key": key}
    gate.sections['hook "mail"'] = {"command": ["/bin/true"]}
    gate.start()
    hooks = eventually(lambda: hooks_process(gate), 5, "there is a process for them")
    time.sleep(0.5)                             # its title comes first
    for secret in numbers_of(key) + numbers_of(gate.certificates["default"].key):
        assert has_in_memory(gate.workers("inbound").popitem()[1], secret)
        assert not has_in_memory(hooks, secret)


# --- config check ---------------------------------------------------------------------------


def config_check(gate):
    gate.prepare()
    done = gate.command("config", "check", "-c", gate.file)
    return done.returncode, done.stdout + done.stderr


def test_config_check_tries_commands(gate, place):
    script = place / "tell-admin"
    gate.sections['hook "mail"'] = {"command": [str(script)]}
    code, said = config_check(gate)
    assert code != 0 and f'hook "mail": {script} cannot be run by ' in said and "No such file" in said
    script.write_text("#!/bin/sh\n")
    script.chmod(0o644)
    place.chmod(0o755)
    code, said = config_check(gate)
    assert code != 0 and "Permission denied" in said
    script.chmod(0o755)
    assert config_check(gate)[0] == 0
    if os.geteuid() == 0:
        script.chmod(0o700)                     # root's, and of no use to postern's account
        assert config_check(gate)[0] != 0


@pytest.mark.parametrize("kind", ["ed25519", "rsa"])
def test_config_check_says_what_to_publish(gate, place, kind):
    key = place / "dkim.pem"
    gate.sections['dkim "example.org"'] = {"selector": "s1", "key": key}
    code, said = config_check(gate)
    assert code != 0 and str(key) in said
    options = ["-pkeyopt", "rsa_keygen_bits:2048"] if kind == "rsa" else []
    subprocess.run(["openssl", "genpkey", "-algorithm", kind, *options, "-out", key], check=True, capture_output=True)
    der = subprocess.run(["openssl", "pkey", "-in", key, "-pubout", "-outform", "DER"], check=True, capture_output=True).stdout
    code, said = config_check(gate)
    line = next(line for line in said.splitlines() if line.startswith("dkim: "))
    strings = line.split('"')[1::2]
    assert code == 0 and line.startswith('dkim: publish s1._domainkey.example.org. TXT "v=DKIM1; k=')
    assert all(len(s) <= 255 for s in strings)
    public = base64.b64encode(der[-32:] if kind == "ed25519" else der).decode()
    assert "".join(strings) == f"v=DKIM1; k={kind}; p={public}"


@pytest.mark.parametrize("section,option", [("facts", "file"), ("postfix", "tlsrpt"), ("postfix", "socketmap")])
def test_config_check_looks_for_directories(gate, place, section, option):
    gate.sections[section] = {option: "/nonexistent/place/thing"}
    code, said = config_check(gate)
    assert code != 0 and f'{section} {option} = "/nonexistent/place/thing": /nonexistent/place: No such file' in said
    gate.sections[section] = {option: f"{place}/thing"}
    assert config_check(gate)[0] == 0


def test_config_check_doubts_reports_to_a_strange_domain(gate):
    gate.sections["tls-report"] = {"receive": ["tlsrpt@elsewhere.example", "tlsrpt@example.org"]}
    code, said = config_check(gate)
    assert code == 0 and said.count("no domain section names") == 1 and "elsewhere.example" in said
