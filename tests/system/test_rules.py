"""The operator's rules and settings of postern-policy(5), each against a host of the lab that makes it matter."""

import json

import pytest

from harness.dialogue import Dialogue, stuffed
from harness.mail import letter
from harness.postern import Postern
from harness.processes import eventually

WRONG = "00" * 32


def seen(instance, domain):
    """What `explain --connect` sees of the domain's first host."""
    ended = instance.command("explain", "-c", instance.file, "--connect", "--json", f"{domain}.lab.example")
    return json.loads(ended.stdout)["hosts"][0]["connection"]["tls"]


def make(place, lab, certificate, authority):
    instance = Postern(place, None, certificate, trusts=authority.file).live_in(lab)
    instance.retry = {"first": 60, "most": 60, "give-up": 600, "give-up-bounce": 600, "delay-notice": 0}
    return instance


def rule(instance, domain, **tls):
    name = domain if domain == "default" else f"{domain}.lab.example"
    instance.destinations[name] = {"route": "mx", "tls": {key.replace("_", "-"): value for key, value in tls.items()}}


@pytest.fixture(scope="module")
def gate(shared_place, lab, our_certificate, authority):
    instance = make(shared_place / "gate", lab, our_certificate, authority)
    instance.prepare()
    pins = {domain: seen(instance, domain) for domain in ("may", "dane-expired", "sts-testing-fail")}
    rule(instance, "default", level="encrypt", **{"except": ["plain.lab.example"]})
    rule(instance, "may", level="verify", fingerprints=[pins["may"]["fingerprint"]])
    rule(instance, "dane-expired", level="verify", fingerprints=[WRONG, pins["dane-expired"]["key-fingerprint"]])
    rule(instance, "sts-testing-fail", level="verify", fingerprints=[WRONG])
    rule(instance, "sts-testing", level="verify", names=["mx.sts-testing.lab.example"])
    rule(instance, "sts-wildcard", level="verify", names=[".sts-wildcard.lab.example"])
    rule(instance, "sts-backup", level="verify", names=["mx.elsewhere.example"])
    rule(instance, "dane-wrong", dane=False)
    rule(instance, "sts-mx-mismatch", sts=False)
    rule(instance, "dane-ee", level="off")
    rule(instance, "dane-ta", level="off", allow_cleartext_override=True)
    rule(instance, "dane-rollover", level="dane-only")
    rule(instance, "unsigned", level="dane-only")
    yield instance.start()
    instance.stop(seconds=1)


@pytest.mark.parametrize("domain, event, fields", [
    ("may", "delivery.sent", {"verdict": "verified"}),
    ("dane-expired", "delivery.sent", {"verdict": "verified"}),
    ("sts-testing-fail", "delivery.deferred", {"code": "E_PIN_MISMATCH"}),
    ("sts-testing", "delivery.sent", {"verdict": "verified"}),
    ("sts-wildcard", "delivery.sent", {"verdict": "verified"}),
    ("sts-backup", "delivery.deferred", {}),
    ("dane-wrong", "delivery.sent", {}),
    ("sts-mx-mismatch", "delivery.sent", {}),
    ("dane-ee", "delivery.deferred", {"code": "E_CLEARTEXT_FORCED"}),
    ("dane-ta", "delivery.sent", {"tls": "none"}),
    ("dane-rollover", "delivery.sent", {"verdict": "verified"}),
    ("unsigned", "delivery.deferred", {"code": "E_DANE_REQUIRED"}),
    ("plain", "delivery.sent", {"tls": "none"}),
    ("starttls-454", "delivery.deferred", {"code": "E_STARTTLS_REFUSED"})])
def test_a_rule_does_what_its_manual_says(gate, domain, event, fields):
    """PD-09 to -12, PD-G5, PD-G9, PD-E14"""
    recipient = f"someone@{domain}.lab.example"
    gate.hand_in(letter(domain), recipient)
    first = eventually(lambda: gate.events("delivery.sent", to=recipient) or gate.events("delivery.deferred", to=recipient),
                       30, "it was tried")[0]
    assert first["event"] == event and {key: first[key] for key in fields} == fields, first


@pytest.fixture(scope="module")
def lenient(shared_place, lab, our_certificate, authority):
    instance = make(shared_place / "lenient", lab, our_certificate, authority)
    instance.policy = {"memory": "off", "insecure-mx": "encrypt", "sts-with-dane": "dane", "tls-required-no": "all",
                       "dane-sha512": False}
    rule(instance, "plain", level="encrypt")
    yield instance.start()
    instance.stop(seconds=1)


@pytest.mark.parametrize("domain, verdict", [
    ("dane-insecure-mx", "trusted"),            # DANE-022: TLS and nothing more is asked for; what is seen is still told
    ("sts-fail-dane-good", "verified"),         # PD-07 with sts-with-dane = dane
    ("dane-digest", "verified"),                # DANE-073: the wrong SHA-512 is not looked at
    ("dane-many", "encrypted")])                # and where there is no other, TLS is still needed
def test_a_setting_does_what_its_manual_says(lenient, domain, verdict):
    recipient = f"someone@{domain}.lab.example"
    lenient.hand_in(letter(domain), recipient)
    first = eventually(lambda: lenient.events("delivery.sent", to=recipient)
                       or lenient.events("delivery.deferred", to=recipient), 30, "it was tried")[0]
    assert first["event"] == "delivery.sent" and first["verdict"] == verdict, first


def test_tls_required_no_may_lift_our_own_level(lenient):
    """REQTLS-052, the other value"""
    recipient = "optional@plain.lab.example"
    with Dialogue(lenient.submission_port) as client:
        client.hello()
        client.starttls()
        client.envelope("alice@example.org", recipient)
        client.expect(354, "DATA")
        client.send(stuffed(b"TLS-Required: No\r\n" + letter("optional")) + b".\r\n")
        assert client.reply().code == 250
    eventually(lambda: lenient.events("delivery.sent", to=recipient), 30, "it went in clear")
