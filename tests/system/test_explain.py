"""`postern explain`: what it says of the lab's domains, of a message that waits, and of a rule that is only thought of."""

import json

import pytest

from harness.mail import letter
from harness.postern import Postern
from harness.processes import eventually


@pytest.fixture(scope="module")
def gate(shared_place, lab, our_certificate, authority):
    instance = Postern(shared_place / "gate", None, our_certificate, trusts=authority.file).live_in(lab)
    instance.policy = {"memory": "alarm"}
    instance.retry = {"first": 3600, "most": 3600, "give-up": 36000, "give-up-bounce": 36000, "delay-notice": 0}
    instance.destinations["strict.lab.example"] = {"route": "mx", "tls": {"level": "dane-only"}}
    yield instance.start()
    instance.stop(seconds=1)


def explain(gate, *arguments, code=0):
    ended = gate.command("explain", "-c", gate.file, *arguments)
    assert ended.returncode == code, f"{ended.returncode}: {ended.stdout}{ended.stderr}"
    return ended.stdout


def explained(gate, *arguments, code=0):
    return json.loads(explain(gate, "--json", *arguments, code=code))


def test_the_chain_is_followed_from_the_domain_to_the_decision(gate):
    said = explained(gate, "dane-and-sts.lab.example")
    assert said["mx-secure"] and said["mta-sts"]["mode"] == "enforce"
    host = said["hosts"][0]
    assert host["addresses-secure"] and host["tlsa"]["records"][0]["used"]
    assert host["mx-pattern"] == "mx.dane-and-sts.lab.example"
    assert host["decision"]["row"] == "PD-07" and host["decision"]["checks"] == ["dane", "mta-sts"]
    assert host["decision"]["clear-text-if-stripped"] is False
    assert "connection" not in host


@pytest.mark.parametrize("domain, row, stripped", [
    ("may", "PD-01", True), ("dane-ee", "PD-03", False), ("dane-unusable", "PD-02", False),
    ("sts-enforce", "PD-05", False), ("sts-testing-fail", "PD-01", True), ("dane-insecure-mx", "PD-04", False)])
def test_what_would_happen_if_starttls_were_stripped(gate, domain, row, stripped):
    decision = explained(gate, f"{domain}.lab.example")["hosts"][0]["decision"]
    assert (decision["row"], decision["clear-text-if-stripped"]) == (row, stripped)


def test_skips_say_why(gate):
    host = explained(gate, "dane-bogus-tlsa.lab.example")["hosts"][0]
    assert host["decision"]["row"] == "PD-G4" and not host["decision"]["send"]
    assert host["decision"]["why-not"]["code"] == "E_TLSA_LOOKUP"
    host = explained(gate, "sts-mx-mismatch.lab.example")["hosts"][0]
    assert host["decision"]["row"] == "PD-G6" and host["decision"]["why-not"]["code"] == "E_STS_MX_MISMATCH"


def test_a_bogus_domain_is_explained_too(gate):
    said = explained(gate, "bogus.lab.example", code=75)
    assert said["problem"]["code"] == "E_DNS_BOGUS" and said["hosts"] == []
    assert "DNSSEC" in explain(gate, "bogus.lab.example", code=75)


def test_connect_makes_the_handshakes_and_sends_nothing(gate, lab):
    before = len(lab.mail("dane-wrong"))
    host = explained(gate, "--connect", "dane-wrong.lab.example")["hosts"][0]
    assert not host["connection"]["usable"] and host["connection"]["problem"]["code"] == "E_DANE_MISMATCH"
    assert host["connection"]["tls"]["dane"] == "no match"
    assert host["connection"]["results"] == [
        {"policy": "tlsa", "result": "certificate-not-trusted", "reason": "dane-no-match"}]
    host = explained(gate, "--connect", "sts-testing-fail.lab.example")["hosts"][0]
    assert host["connection"]["usable"] and host["connection"]["verdict"] == "encrypted"
    assert host["connection"]["results"][0]["policy"] == "sts"          # MTASTS-064: reported, not held
    assert len(lab.mail("dane-wrong")) == before


def test_an_attack_under_way_is_seen(gate, lab):
    lab.attack("dane-ee", "strip")
    try:
        host = explained(gate, "--connect", "dane-ee.lab.example")["hosts"][0]
        assert host["connection"]["problem"]["code"] == "E_STARTTLS_NOT_OFFERED"
    finally:
        lab.attack("dane-ee", "none")
    assert explained(gate, "--connect", "dane-ee.lab.example")["hosts"][0]["connection"]["verdict"] == "verified"


def test_a_message_with_requiretls_is_explained_as_one(gate):
    assert explained(gate, "--requiretls", "may.lab.example")["hosts"][0]["decision"]["checks"] == ["pkix", "requiretls"]
    unsigned = explained(gate, "--requiretls", "unsigned.lab.example")["hosts"][0]["decision"]
    assert unsigned["row"] == "PD-G8" and unsigned["why-not"]["code"] == "E_REQUIRETLS_MISSING"


def test_a_message_that_waits_is_explained_by_its_id(gate):
    gate.hand_in(letter("held back"), "someone@dane-no-starttls.lab.example")
    entry = eventually(lambda: next((e for e in gate.waiting() if e["attempts"] > 0 and "no-starttls" in e["to"]),
                                    None), 20, "it was tried")
    said = explained(gate, entry["id"])
    assert said["messages"][0]["recipient"] == "someone@dane-no-starttls.lab.example"
    assert "STARTTLS is not offered" in said["messages"][0]["why"] and said["messages"][0]["attempts"] == 1
    assert "STARTTLS is not offered" in explain(gate, entry["id"])
    explain(gate, "06aj000000000", code=1)


def test_a_rule_is_tried_on_what_was_delivered(gate):
    for domain in ("plain", "may", "dane-ee"):
        gate.hand_in(letter(domain), f"someone@{domain}.lab.example", also=[f"another@{domain}.lab.example"])
    eventually(lambda: explained(gate, "--what-if", "level=encrypt")["destinations"] >= 3, 30, "they are counted", every=1)
    said = explained(gate, "--what-if", "level=encrypt")
    held = {row["destination"]: row for row in said["held"]}
    assert list(held) == ["plain.lab.example"] and held["plain.lab.example"]["code"] == "E_STARTTLS_NOT_OFFERED"
    assert held["plain.lab.example"]["messages"] == said["held-messages"]
    held = {row["destination"] for row in explained(gate, "--what-if", "level=dane-only")["held"]}
    assert {"plain.lab.example", "may.lab.example"} <= held and "dane-ee.lab.example" not in held
    assert explained(gate, "--what-if", "level=may")["held"] == []
    assert explained(gate, "--what-if", "level=encrypt", "may.lab.example")["destinations"] == 1
    assert "would have been held" in explain(gate, "--what-if", "level=encrypt")


def test_memory_is_part_of_the_explanation(gate):
    def known():
        return explained(gate, "dane-ee.lab.example").get("memory")
    gate.hand_in(letter("to be remembered"), "someone@dane-ee.lab.example")
    memory = eventually(known, 30, "it is remembered", every=1)
    assert memory["with-tls"] >= 1 and memory["best"] == "verified" and memory["habit"] is False


def test_the_operators_rule_is_named(gate):
    said = explained(gate, "strict.lab.example", code=0)
    assert said["rule"] == "strict.lab.example" and said["level"] == "dane-only"
    assert explained(gate, "example.org")["summary"] == "Mail stays here."


@pytest.mark.parametrize("arguments, complaint", [
    ([], "which domain"), (["not a domain"], "neither a domain"), (["a.example", "b.example"], "too many"),
    (["--what-if", "level=loud"], "level=loud"), (["--days", "0", "a.example"], "--days 0"), (["--loud"], "--loud")])
def test_wrong_arguments_are_told(gate, arguments, complaint):
    ended = gate.command("explain", "-c", gate.file, *arguments)
    assert ended.returncode == 64 and complaint in ended.stderr


def test_a_terminal_sees_what_json_says(gate):
    said = explain(gate, "--connect", "dane-and-sts.lab.example")
    for words in ("3 1 1", "PD-07", "if stripped", "not sent", "verified", "MTA-STS     enforce", "secure"):
        assert words in said, said
    assert "\033[" not in said
