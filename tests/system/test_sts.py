"""MTA-STS over time: what is fetched, what is kept, and what a policy host that fails cannot undo (rows ST-01 to ST-08)."""

import json
import time

import pytest

from harness.mail import letter
from harness.policyhost import policy
from harness.processes import eventually
from harness.stsdomain import DOMAIN, HOST, gate, sink, web     # noqa: fixtures


def send(gate, subject):
    gate.hand_in(letter(subject), f"carol@{DOMAIN}")


def sent(gate, count=1):
    return eventually(lambda: (events := gate.events("delivery.sent")) and len(events) >= count and events, 20,
                      lambda: f"{count} sent; {gate.events('delivery.deferred')}")


def deferred(gate, count=1):
    return eventually(lambda: (events := gate.events("delivery.deferred")) and len(events) >= count and events, 20,
                      lambda: f"{count} deferred; {gate.events('delivery.sent')}")


def learn(gate):
    """The policy is fetched, and a message goes under it."""
    gate.start()
    send(gate, "the first")
    assert sent(gate)[0]["verdict"] == "verified"
    gate.stop()
    return len(gate.events("delivery.sent"))


def row(gate):
    ended = gate.command("explain", "-c", gate.file, "--json", DOMAIN)
    return json.loads(ended.stdout)["mta-sts"]["row"]


def test_a_policy_is_fetched_once_and_kept(gate, web):
    """MTASTS-022, -023"""
    gate.start()
    for subject in ("one", "two", "three"):
        send(gate, subject)
    assert all(event["verdict"] == "verified" for event in sent(gate, 3))
    path, headers = web.requests[0]
    assert len(web.requests) == 1 and path == "/.well-known/mta-sts.txt"
    assert not {"If-None-Match", "If-Modified-Since", "Accept-Encoding", "Cookie"} & set(headers)
    assert headers["Host"].split(":")[0] == f"mta-sts.{DOMAIN}"
    gate.stop()
    gate.start()
    send(gate, "after a restart")
    sent(gate, 4)
    assert len(web.requests) == 1                       # the id has not changed


@pytest.mark.parametrize("break_it, expected", [
    (lambda dns, web: dns.set(f"_mta-sts.{DOMAIN}", "TXT"), "ST-02"),
    (lambda dns, web: dns.fault(f"_mta-sts.{DOMAIN}", "SERVFAIL"), "ST-07"),
    (lambda dns, web: (dns.set(f"_mta-sts.{DOMAIN}", "TXT", '"v=STSv1; id=two"'), setattr(web, "status", 500)), "ST-05"),
    (lambda dns, web: (dns.set(f"_mta-sts.{DOMAIN}", "TXT", '"v=STSv1; id=two"'),
                       setattr(web, "body", "version: STSv1\nmode: Enforce\n")), "ST-05")],
    ids=["the record is gone", "its lookup fails", "the fetch fails", "the new policy is broken"])
def test_nothing_that_fails_undoes_a_policy_that_is_kept(gate, dns, web, sink, break_it, expected):
    """MTASTS-010, -028, -029, -083; a restart reopens no window."""
    learn(gate)
    break_it(dns, web)
    sink.starttls = "absent"
    gate.start()
    send(gate, "held")
    event = deferred(gate)[0]
    assert event["code"] == "E_STARTTLS_NOT_OFFERED" and "MTA-STS" in event["why"]
    assert row(gate) == expected
    assert len(sink.deliveries) == 1


def test_a_policy_outlives_a_store_that_is_killed(gate, sink, web, dns):
    gate.start()
    send(gate, "the first")
    sent(gate)
    time.sleep(0.5)                                     # the note is in the group that follows
    gate.kill_all()
    dns.set(f"_mta-sts.{DOMAIN}", "TXT")
    sink.starttls = "absent"
    gate.start()
    send(gate, "held")
    assert "MTA-STS" in deferred(gate)[0]["why"]


def test_a_new_policy_replaces_the_old_one(gate, dns, web, sink):
    """ST-04, MTASTS-009; a fetched `none` counts at once (MTASTS-065)."""
    count = learn(gate)
    dns.set(f"_mta-sts.{DOMAIN}", "TXT", '"v=STSv1; id=0"')
    web.body = policy(mode="none")
    sink.starttls = "absent"
    gate.start()
    send(gate, "in clear")
    assert sent(gate, count + 1)[-1]["verdict"] == "none"
    assert len(web.requests) == 2


def test_an_expired_policy_is_none(gate, dns, web, sink):
    """MTASTS-080"""
    web.body = policy(HOST, max_age=2)
    count = learn(gate)
    dns.set(f"_mta-sts.{DOMAIN}", "TXT")
    sink.starttls = "absent"
    time.sleep(3)
    gate.start()
    send(gate, "in clear")
    assert sent(gate, count + 1)[-1]["verdict"] == "none"


def test_a_fetch_that_failed_is_not_repeated_at_once(gate, web):
    """MTASTS-026, -027, ST-06"""
    web.status = 404
    gate.start()
    for subject in ("one", "two"):
        send(gate, subject)
        assert sent(gate, 1 if subject == "one" else 2)[-1]["verdict"] in ("encrypted", "trusted")
    assert len(web.requests) == 1
    assert gate.events("sts.failed")


@pytest.mark.parametrize("setting, outcome", [("pass", "delivery.sent"), ("defer", "delivery.deferred")])
def test_a_lookup_that_fails_with_nothing_kept(gate, dns, setting, outcome):
    """MTASTS-011, ST-08"""
    gate.sts["lookup-failure"] = setting
    dns.fault(f"_mta-sts.{DOMAIN}", "SERVFAIL")
    gate.start()
    send(gate, "perhaps")
    eventually(lambda: gate.events(outcome), 20, outcome)


def test_a_policy_is_looked_for_once_more_before_mail_is_given_up(gate, dns, web):
    """MTASTS-066"""
    web.body = policy("old.example.net")
    gate.retry.update({"give-up": 7})
    gate.start()
    send(gate, "saved")
    assert deferred(gate)[0]["code"] == "E_STS_MX_MISMATCH"
    web.body = policy(HOST)
    dns.set(f"_mta-sts.{DOMAIN}", "TXT", '"v=STSv1; id=two"')
    assert sent(gate)[0]["verdict"] == "verified"
    assert not gate.events("delivery.failed")


def test_what_is_given_up_for_a_policy_says_so(gate, web):
    """MTASTS-067, PD-31"""
    web.body = policy("old.example.net")
    gate.retry.update({"give-up": 4})
    gate.start()
    send(gate, "lost")
    failed = eventually(lambda: gate.events("delivery.failed"), 20, "it is given up")[0]
    assert failed["dsn"] == "5.7.5" and "MTA-STS" in failed["why"] and HOST in failed["why"]


def test_an_operator_may_pin_a_policy(gate, dns, sink):
    """MTASTS-085"""
    dns.set(f"_mta-sts.{DOMAIN}", "TXT")
    gate.sts[f'pin "{DOMAIN}"'] = {"mx": [HOST]}
    sink.starttls = "absent"
    gate.start()
    send(gate, "held")
    assert "MTA-STS" in deferred(gate)[0]["why"]
    assert row(gate) == "pin"


def test_testing_is_told_and_not_enforced(gate, web, sink):
    """MTASTS-064"""
    web.body = policy("elsewhere.example.net", mode="testing")
    gate.start()
    send(gate, "through")
    assert sent(gate)[0]["tls"] != "none"
    attempt = gate.events("delivery.attempt")[0]
    assert attempt["sts"] == "testing-mismatch" and attempt["result"].startswith("sts:validation-failure")


def test_policy_hosts_may_be_kept_out_of_private_networks(gate, web):
    """MTASTS-031"""
    gate.sts["private-addresses"] = False
    gate.start()
    send(gate, "without")
    assert sent(gate)[0]["verdict"] in ("encrypted", "trusted")
    assert not web.requests and "may be asked" in gate.events("sts.failed")[0]["why"]
