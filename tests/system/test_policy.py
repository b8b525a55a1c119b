"""The whole policy, case by case: mail through postern into the lab, and what became of it against the lab's own table.

Each case names the requirement that it shows; `postern lab list` has them all."""

import pytest

from harness.dialogue import Dialogue, stuffed
from harness.lab import cases
from harness.mail import letter
from harness.postern import Postern
from harness.processes import eventually

# Those that need more than an ordinary message have tests of their own below.
SPECIAL = ("requiretls", "tls-demanding")
VERDICTS = {"delivered verified": "verified", "delivered in clear": "none"}


@pytest.fixture(scope="module")
def gate(shared_place, lab, our_certificate, authority):
    """A postern that lives in the lab, and gives in to broken TLS at once."""
    instance = Postern(shared_place / "gate", None, our_certificate, trusts=authority.file).live_in(lab)
    instance.delivery["cleartext-after"] = 0
    instance.retry = {"first": 2, "most": 2, "give-up": 600, "give-up-bounce": 600, "delay-notice": 0}
    yield instance.start()
    instance.stop(seconds=1)


@pytest.fixture(scope="module")
def outcomes(gate):
    """A message to every domain of the lab, and the first thing that became of each."""
    domains = [name for name in cases() if not name.startswith(SPECIAL)]
    for name in domains:
        gate.hand_in(letter(name), f"someone@{name}")

    def first(name):
        for event in ("delivery.sent", "delivery.deferred", "delivery.failed"):
            found = gate.events(event, to=f"someone@{name}")
            if found:
                return event, found[0]
        return None
    eventually(lambda: all(first(name) for name in domains), 120,
               lambda: "every message has been tried; not " + ", ".join(n for n in domains if not first(n)), every=0.5)
    return {name: first(name) for name in domains}


@pytest.mark.parametrize("domain", [name for name in cases() if not name.startswith(SPECIAL)])
def test_each_domain_gets_what_its_policy_asks_for(outcomes, domain):
    row = cases()[domain]
    event, fields = outcomes[domain]
    if row["outcome"].startswith("delivered"):
        assert event == "delivery.sent", f"{row['spec']}: {fields}"
        wanted = VERDICTS.get(row["outcome"])
        if wanted:
            assert fields["verdict"] == wanted, f"{row['spec']}: {fields}"
        else:
            assert fields["verdict"] in ("encrypted", "trusted") and fields["tls"] != "none", f"{row['spec']}: {fields}"
    elif row["outcome"] == "deferred":
        assert event == "delivery.deferred", f"{row['spec']}: {fields}"
        assert fields["dsn"].startswith(("4.7.", "4.4.")), fields
    else:
        assert event == "delivery.failed", f"{row['spec']}: {fields}"


# --- what the sender asks for (RFC 8689) ----------------------------------------

def hand_in(gate, recipient, message, parameters=""):
    with Dialogue(gate.submission_port) as client:
        client.hello()
        assert "REQUIRETLS" in client.starttls()
        client.expect(250, f"MAIL FROM:<alice@example.org>{parameters}")
        client.expect(250, f"RCPT TO:<{recipient}>")
        client.expect(354, "DATA")
        client.send(stuffed(message) + b".\r\n")
        answer = client.reply()
    assert answer.code == 250, str(answer)


def first_event(gate, name, recipient, seconds=90):
    return eventually(lambda: gate.events(name, to=recipient), seconds,
                      lambda: f"{name} for {recipient}; {[e for e in gate.events() if e.get('to') == recipient]}")[0]


def bounce_about(gate, recipient):
    return eventually(lambda: next((m for m in gate.mailbox() if recipient.encode() in m), None), 20,
                      f"a bounce about {recipient}")


def test_requiretls_goes_along_with_the_message(gate, lab):
    """REQTLS-024: the next host is asked for the same."""
    hand_in(gate, "required@requiretls.lab.example", letter("required"), " REQUIRETLS")
    assert first_event(gate, "delivery.sent", "required@requiretls.lab.example")["verdict"] == "verified"
    assert lab.mail("requiretls")[-1].requiretls
    hand_in(gate, "usual@requiretls.lab.example", letter("usual"))
    first_event(gate, "delivery.sent", "usual@requiretls.lab.example")
    assert not lab.mail("requiretls")[-1].requiretls


@pytest.mark.parametrize("domain", ["requiretls-missing", "requiretls-clear-only", "unsigned"])
def test_requiretls_that_cannot_be_kept_comes_back(gate, lab, domain):
    """REQTLS-023, -026, -041: 5.7.30, with the header of the message and nothing more."""
    recipient = f"required@{domain}.lab.example"
    before = len(lab.mail(domain))
    hand_in(gate, recipient, letter("required", body="the secret body\r\n"), " REQUIRETLS")
    assert first_event(gate, "delivery.failed", recipient)["dsn"] == "5.7.30"
    bounce = bounce_about(gate, recipient)
    assert b"5.7.30" in bounce and b"the secret body" not in bounce
    assert len(lab.mail(domain)) == before


def test_requiretls_without_tls_comes_back(gate, lab):
    """REQTLS-026: 5.7.10. The domain's name is authentic, its host has no TLS."""
    recipient = "required@plain.lab.example"
    hand_in(gate, recipient, letter("required"), " REQUIRETLS")
    assert first_event(gate, "delivery.failed", recipient)["dsn"] == "5.7.10"


def test_requiretls_waits_where_it_may_still_be_kept(gate):
    """REQTLS-027: a lookup that fails is no answer."""
    recipient = "required@dane-servfail.lab.example"
    hand_in(gate, recipient, letter("required"), " REQUIRETLS")
    assert first_event(gate, "delivery.deferred", recipient)["dsn"].startswith("4.")


@pytest.mark.parametrize("domain", ["dane-wrong", "dane-no-starttls", "dane-servfail", "sts-mx-mismatch", "sts-untrusted-mx",
                                    "sts-no-starttls", "tls-broken"])
def test_who_says_that_tls_is_not_required_gets_through(gate, lab, domain):
    """REQTLS-050: what the recipient's side asks for does not hold up such a message."""
    recipient = f"optional@{domain}.lab.example"
    hand_in(gate, recipient, b"TLS-Required: No\r\n" + letter("optional"))
    first_event(gate, "delivery.sent", recipient)
    assert lab.mail(domain)[-1].message["TLS-Required"] == "No"


def test_a_host_that_insists_on_tls_has_the_last_word(gate):
    """REQTLS-051"""
    recipient = "optional@tls-demanding.lab.example"
    hand_in(gate, recipient, b"TLS-Required: No\r\n" + letter("optional"))
    first_event(gate, "delivery.failed", recipient)
    assert b"TLS-Required: No" in bounce_about(gate, recipient)         # REQTLS-044


def test_a_strict_message_never_takes_a_lax_ones_connection(gate, lab):
    """PD-33: both go to a host whose certificate is false; the lax one's session stays open for a second."""
    domain = "dane-wrong-trusted.lab.example"
    hand_in(gate, f"optional@{domain}", b"TLS-Required: No\r\n" + letter("lax"))
    first_event(gate, "delivery.sent", f"optional@{domain}")
    hand_in(gate, f"strict@{domain}", letter("strict"))
    first_event(gate, "delivery.deferred", f"strict@{domain}")
    assert not gate.events("delivery.sent", to=f"strict@{domain}")


# --- an attacker who comes later ----------------------------------------------------

@pytest.mark.parametrize("kind", ["strip", "refuse", "certificate", "inject", "stall"])
def test_no_attack_makes_mail_under_dane_leak(gate, lab, kind):
    domain = {"strip": "dane-ee", "refuse": "dane-ta", "certificate": "dane-rollover", "inject": "dane-cname",
              "stall": "dane-no-mx"}[kind]
    before = len(lab.mail(domain))
    lab.attack(domain, kind)
    try:
        recipient = f"attacked@{domain}.lab.example"
        gate.hand_in(letter(kind), recipient)
        first_event(gate, "delivery.deferred", recipient)
        assert len(lab.mail(domain)) == before
    finally:
        lab.attack(domain, "none")
    first_event(gate, "delivery.sent", recipient)
    assert lab.mail(domain)[-1].encrypted


def test_the_self_test_says_that_validation_works(gate):
    assert all("good" in event["say"] for event in gate.events("dns.selftest")) and gate.events("dns.selftest")
