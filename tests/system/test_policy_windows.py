"""Moments in which a policy could be missed: slow answers, kept sessions, destinations at rest, addresses that are down."""

import os
import time

import pytest

from harness.dialogue import Dialogue, stuffed
from harness.mail import letter
from harness.nameserver import SILENCE
from harness.policyhost import PolicyHost, policy
from harness.processes import eventually
from harness.stsdomain import DOMAIN, HOST, gate as policy_gate, sink, web     # noqa: fixtures
from harness.sink import Sink


@pytest.fixture
def gate(policy_gate):
    policy_gate.outbound = 1
    return policy_gate


def hand_in(gate, recipient, message, parameters=""):
    with Dialogue(gate.submission_port) as client:
        client.hello()
        client.starttls()
        client.expect(250, f"MAIL FROM:<alice@example.org>{parameters}")
        client.expect(250, f"RCPT TO:<{recipient}>")
        client.expect(354, "DATA")
        client.send(stuffed(message) + b".\r\n")
        answer = client.reply()
    assert answer.code == 250, str(answer)


def first_fate(gate, recipient, seconds=40):
    """The first of sent, deferred, failed."""
    def fate():
        for e in gate.events():
            if e.get("event", "").startswith("delivery.") and e.get("to") == recipient:
                return e
    return eventually(fate, seconds, f"the fate of {recipient}")


def test_requiretls_waits_while_the_policy_cannot_be_fetched(gate, web):
    """REQTLS-027, PD-30: what makes the name authentic could not be fetched now; that is no final answer."""
    web.status = 503
    gate.start()
    hand_in(gate, f"required@{DOMAIN}", letter("required"), " REQUIRETLS")
    assert first_fate(gate, f"required@{DOMAIN}")["event"] == "delivery.deferred"


def test_requiretls_waits_while_the_record_cannot_be_looked_up(gate, dns):
    """REQTLS-027: DNS error."""
    dns.fault(f"_mta-sts.{DOMAIN}", "SERVFAIL")
    gate.start()
    hand_in(gate, f"required@{DOMAIN}", letter("required"), " REQUIRETLS")
    assert first_fate(gate, f"required@{DOMAIN}")["event"] == "delivery.deferred"


def test_strict_mail_does_not_take_a_lax_ones_clear_session_while_the_policy_is_unknown(gate, dns, sink):
    """MTASTS-011: with lookup-failure = defer a standard message waits, whatever session is open."""
    gate.sts["lookup-failure"] = "defer"
    gate.delivery["idle-connection"] = 20
    dns.fault(f"_mta-sts.{DOMAIN}", "SERVFAIL")
    sink.starttls = "absent"
    gate.start()
    hand_in(gate, f"optional@{DOMAIN}", b"TLS-Required: No\r\n" + letter("lax"))
    assert first_fate(gate, f"optional@{DOMAIN}")["event"] == "delivery.sent"
    hand_in(gate, f"strict@{DOMAIN}", letter("strict"))
    fate = first_fate(gate, f"strict@{DOMAIN}")
    assert fate["event"] == "delivery.deferred", (fate, [s.verbs for s in sink.sessions])


@pytest.mark.parametrize("patience, timeout", [(10, 10), (3, 6)])
def test_lookup_failure_defer_holds_when_the_lookup_is_merely_slow(gate, dns, sink, patience, timeout):
    """MTASTS-011: an attacker who drops the query instead of answering SERVFAIL."""
    gate.sts.update({"lookup-failure": "defer", "patience": patience})
    gate.dns["timeout"] = timeout
    dns.fault(f"_mta-sts.{DOMAIN}", SILENCE)
    sink.starttls = "absent"
    gate.start()
    hand_in(gate, f"slow@{DOMAIN}", letter("slow"))
    fate = first_fate(gate, f"slow@{DOMAIN}")
    assert fate["event"] == "delivery.deferred", fate


def test_a_kept_policy_holds_though_nobody_has_patience(gate, dns, sink, web):
    """MTASTS-083: the store has a policy; patience is for fetches, not for what is kept."""
    gate.start()
    hand_in(gate, f"first@{DOMAIN}", letter("first"))
    assert first_fate(gate, f"first@{DOMAIN}")["verdict"] == "verified"
    gate.stop()
    sink.starttls = "absent"
    gate.sts["patience"] = 0
    gate.start()
    hand_in(gate, f"second@{DOMAIN}", letter("second"))
    fate = first_fate(gate, f"second@{DOMAIN}")
    assert fate["event"] == "delivery.deferred", fate


def test_optional_mail_does_not_rest_with_strict_mail(gate, web, sink, dns):
    """PD-G3: TLS-Required: No is delivered whatever the recipient published."""
    web.body = policy("mx.example.net")
    sink.starttls = "absent"
    gate.start()
    hand_in(gate, f"strict@{DOMAIN}", letter("strict"))
    assert first_fate(gate, f"strict@{DOMAIN}")["event"] == "delivery.deferred"
    hand_in(gate, f"optional@{DOMAIN}", b"TLS-Required: No\r\n" + letter("lax"))
    fate = first_fate(gate, f"optional@{DOMAIN}")
    assert fate["event"] == "delivery.sent", fate


def test_the_case_of_a_domain_opens_no_second_cache(gate, dns, sink, web):
    gate.start()
    hand_in(gate, f"first@{DOMAIN}", letter("first"))
    assert first_fate(gate, f"first@{DOMAIN}")["verdict"] == "verified"
    dns.set(f"_mta-sts.{DOMAIN}", "TXT")
    sink.starttls = "absent"
    gate.stop()
    gate.start()
    hand_in(gate, "second@Example.NET", letter("second"))
    def fate():
        return [e for e in gate.events() if e.get("event", "").startswith("delivery.") and e.get("to", "").lower() == f"second@{DOMAIN}"
                and e["event"] != "delivery.attempt"]
    found = eventually(fate, 30, "fate")[0]
    assert found["event"] == "delivery.deferred", found


# --- several addresses of one host ------------------------------------------------

def two_addresses(gate, dns, sink, second):
    dns.set(HOST, "A", sink.address, second)


def test_requiretls_waits_while_another_address_of_the_host_is_down(gate, dns, sink):
    """PD-30, REQTLS-027: one address lacks the keyword, the other does not answer now."""
    two_addresses(gate, dns, sink, "127.0.0.9")             # nobody listens there
    gate.start()
    hand_in(gate, f"required@{DOMAIN}", letter("required"), " REQUIRETLS")
    assert first_fate(gate, f"required@{DOMAIN}")["event"] == "delivery.deferred"


def test_requiretls_waits_while_another_address_of_the_host_says_421(gate, dns, sink, authority):
    two_addresses(gate, dns, sink, "127.0.0.9")
    busy = Sink(authority.issue(HOST), address="127.0.0.9", port=sink.port)
    busy.answer("CONNECT", "421 4.3.2 busy")
    gate.start()
    for n in range(4):      # in whatever order the addresses come
        hand_in(gate, f"required{n}@{DOMAIN}", letter("required"), " REQUIRETLS")
    fates = [first_fate(gate, f"required{n}@{DOMAIN}")["event"] for n in range(4)]
    busy.close()
    assert set(fates) == {"delivery.deferred"}, fates


# --- more on kept sessions --------------------------------------------------------------

def test_a_clear_session_carries_nothing_once_a_policy_is_known(gate, dns, web, sink, authority):
    """As above with the policy host merely slow (12 s), and every setting as it is by default."""
    import http.server
    sink.starttls = "absent"
    gate.sts.pop("patience"), gate.sts.pop("fetch-time")
    gate.delivery["idle-connection"] = 5
    slow = web._server.RequestHandlerClass.do_GET

    def late(handler):
        time.sleep(12)
        slow(handler)
    web._server.RequestHandlerClass.do_GET = late
    gate.start()
    hand_in(gate, f"first@{DOMAIN}", letter("first"))
    assert first_fate(gate, f"first@{DOMAIN}")["event"] == "delivery.sent"
    eventually(lambda: gate.events("sts.policy"), 20, "policy fetched")
    hand_in(gate, f"second@{DOMAIN}", letter("second"))
    fate = first_fate(gate, f"second@{DOMAIN}")
    assert fate["event"] == "delivery.deferred", fate


# --- routes, rests, clocks ---------------------------------------------------------------

def test_a_final_dot_in_a_route_does_not_switch_mta_sts_off(gate, dns, sink, web, authority):
    """The same host with and without its final dot is under the same policy."""
    relay = "relay.example.com"
    host = PolicyHost(authority.issue(f"mta-sts.{relay}"))
    dns.set(relay, "A", sink.address)
    dns.set(f"_mta-sts.{relay}", "TXT", '"v=STSv1; id=one"')
    dns.set(f"mta-sts.{relay}", "A", host.address)
    host.body = policy(relay)
    gate.sts["port"] = host.port
    sink.starttls = "absent"
    gate.destinations["plain.example"] = {"route": f"smtp {relay}:{sink.port}"}
    gate.destinations["dotted.example"] = {"route": f"smtp {relay}.:{sink.port}"}
    gate.start()
    for name in ("plain", "dotted"):
        hand_in(gate, f"x@{name}.example", letter(name))
    fates = {name: first_fate(gate, f"x@{name}.example").get("code") for name in ("plain", "dotted")}
    host.close()
    assert fates == {"plain": "E_STARTTLS_NOT_OFFERED", "dotted": "E_STARTTLS_NOT_OFFERED"}, (fates, gate.events("delivery.attempt"))


def test_mail_is_tried_once_more_before_it_is_given_up_though_its_destination_rests(gate, sink):
    """PD-31, MTASTS-066"""
    sink.starttls = "absent"
    gate.retry = {"first": 4, "most": 4, "give-up": 7, "give-up-bounce": 7, "delay-notice": 0}
    gate.start()
    hand_in(gate, f"late@{DOMAIN}", letter("late"))
    first_fate(gate, f"late@{DOMAIN}")
    time.sleep(5.5)
    sink.starttls = "offered"
    fate = eventually(lambda: gate.events("delivery.sent") + gate.events("delivery.failed"), 20, "the end")[0]
    assert fate["event"] == "delivery.sent", fate


def test_strict_mail_does_not_take_a_lax_ones_session_with_a_false_certificate_while_the_policy_is_unknown(
        gate, dns, sink, authority):
    gate.sts["lookup-failure"] = "defer"
    gate.delivery["idle-connection"] = 20
    dns.fault(f"_mta-sts.{DOMAIN}", "SERVFAIL")
    sink.certificate = authority.issue("evil.example.com", self_signed=True)
    gate.start()
    hand_in(gate, f"optional@{DOMAIN}", b"TLS-Required: No\r\n" + letter("lax"))
    assert first_fate(gate, f"optional@{DOMAIN}")["event"] == "delivery.sent"
    hand_in(gate, f"strict@{DOMAIN}", letter("strict"))
    assert first_fate(gate, f"strict@{DOMAIN}")["event"] == "delivery.deferred"


def test_requiretls_waits_on_what_was_learned_a_moment_ago(gate, dns, web, sink):
    """A later REQUIRETLS message, the policy unknown to the kept session but known now: the session has all that is needed
    but the name; asked anew it goes."""
    sink.extensions.append("REQUIRETLS")
    web.status = 503
    gate.delivery["idle-connection"] = 20
    gate.start()
    hand_in(gate, f"first@{DOMAIN}", letter("first"))
    first_fate(gate, f"first@{DOMAIN}")
    hand_in(gate, f"required@{DOMAIN}", letter("required"), " REQUIRETLS")
    fate = first_fate(gate, f"required@{DOMAIN}")
    assert fate["event"] == "delivery.deferred", fate
