"""Debian's Postfix asking postern for its TLS policies (postfix section, docs/postfix.md), for every domain of the lab.

What it is told stands in ANSWERS; that it then delivers or defers as our own delivery would, but for what DIFFERENT
lists with its reason, is tried with mail."""

import json
import socket
import threading
import time

import pytest

from harness.inside import Inside, need_name_spaces
from harness.lab import cases, domain_of
from harness.oracles import Postfix, ask_postern
from harness.policyhost import policy
from harness.postern import Postern
from harness.processes import command_line, descendants, eventually, free_port, run
from harness.stsdomain import DOMAIN, HOST, web     # noqa: fixtures

PORT = 8471
INTO = "mx.{}.lab.example"
TABLE = {name.removesuffix(".lab.example"): row for name, row in cases().items()}
TOO_SLOW = ("tls-stall",)               # handshakes that hang are waited for for minutes
CRASHES_POSTFIX = ("dane-empty",)       # test_oracles.py
ORDINARY = [name for name, row in TABLE.items()
            if name not in TOO_SLOW + CRASHES_POSTFIX and row["message"] != "TLS-Required: No"]

SECURE = "secure match={} servername=hostname"
LATER = "later: "                       # and words that it is told with
NOTHING = ""
ANSWERS = {
    "dane-unusable": "dane", "dane-malformed": "dane", "dane-empty": "dane", "dane-mixed": "dane", "dane-insecure-mx": "dane",
    "dane-insecure-host": NOTHING,
    "dane-servfail": LATER + "cannot be looked up",
    "dane-bogus-tlsa": LATER + "fails DNSSEC validation",
    "bogus": LATER + "fails DNSSEC validation",
    "expired-zone": LATER + "fails DNSSEC validation",
    "sts-wildcard": SECURE.format(".sts-wildcard.lab.example"),
    "sts-backup": SECURE.format("mx1.sts-backup.lab.example:mx2.sts-backup.lab.example"),
    "sts-name-mx": SECURE.format(".sts-name-mx.lab.example"),
    "sts-mx-mismatch": LATER + "in no mx line",
    "sts-wildcard-deep": LATER + "in no mx line",
    "sts-ip-mx": LATER + "in no mx line",
    "sts-fail-dane-good": "dane-only",  # DANE comes before MTA-STS,
    "dane-fail-sts-good": "dane-only",  # and MTA-STS stands in for none of its failures
    "dane-and-sts": "dane-only",
    **{name: SECURE.format(INTO.format(name)) for name in
       ("sts-enforce", "sts-unsigned", "sts-untrusted-mx", "sts-expired-mx", "sts-cn-only", "sts-no-starttls", "sts-max-age-0",
        "sts-reports")},
    **{name: NOTHING for name in TABLE if name.startswith(("sts-fetch", "sts-testing", "sts-none", "sts-two"))},
    **{name: NOTHING for name in
       ("unsigned", "unsigned-servfail", "null-mx", "may", "plain", "starttls-454", "starttls-injection", "tls-broken", "tls-old")},
    **{name: "dane-only" for name in TABLE if name.startswith("requiretls")},
}

# Where Postfix with postern does something else than postern, what, and why.
DIFFERENT = {
    "starttls-injection": ("encrypted", "drops what was said in clear behind the consent to STARTTLS, and goes on"),
    "tls-old": ("encrypted", "where it checks no certificate it still speaks TLS 1.0, which RFC 8996 forbids"),
    "sts-fail-dane-good": ("verified", "it checks DANE or MTA-STS, and DANE comes first (RFC 8461 2)"),
    "sts-name-mx": ("verified", "compares the certificate with the patterns of the policy, not with the host's name"),
    "sts-cn-only": ("verified", "takes the common name when there is no other; RFC 8461 4.2 wants a DNS name"),
}


def expected(name):
    return ANSWERS.get(name, "dane-only" if name.startswith("dane-") else None)


def map_at(where, name="QUERY"):
    return f"socketmap:{where}:{name}"


def ask_by_hand(connection, key):
    question = f"QUERY {key}".encode()
    connection.sendall(b"%d:%s," % (len(question), question))
    return connection.recv(100000).decode().partition(":")[2].removesuffix(",")


def told(done):
    """An answer as `postmap -q` gives it."""
    return LATER + done.stderr if "error" in done.stderr else done.stdout.strip()


class Beside:
    """postern serve with a postfix section, inside the lab."""

    def __init__(self, lab, place):
        self.lab = lab
        self.sockets = place / "sockets"
        self.sockets.mkdir(parents=True)
        self.postern = Postern(place / "postern", None, None).live_in(lab)
        self.postern.inside = lab
        self.postern.destinations |= {
            "encrypt.rule.example": {"tls": {"level": "encrypt"}},
            "sts-testing.lab.example": {"tls": {"level": "verify", "names": ["mx.sts-testing.lab.example", ".other.example"]}},
            "may.lab.example": {"tls": {"level": "verify", "fingerprints": ["AB" * 32]}},
            "unsigned.lab.example": {"tls": {"level": "encrypt"}},
            "dane-insecure-host.lab.example": {"tls": {"level": "dane-only"}},
            "plain.lab.example": {"tls": {"level": "off"}},
            "sts-max-age-0.lab.example": {"tls": {"level": "off"}},
            "unsigned-servfail.lab.example": {"tls": {"level": "may"}},
            "relay.rule.example": {"tls": {"level": "verify", "names": ["relay.rule.example"]}},
            "[192.0.2.1]": {"tls": {"level": "verify", "fingerprints": ["CD" * 32]}},
            "[IPv6:2001:DB8:0::1]": {"tls": {"level": "encrypt"}},
        } if place.name == "rules" else {}
        self.postern.sections["postfix"] = {
            "socketmap": [f"127.0.0.1:{PORT}", str(self.sockets / "map")], "tcp-table": [f"127.0.0.1:{PORT + 1}"],
            "tlsrpt": str(self.sockets / "tlsrpt")}
        key = place / "dkim.pem"
        assert run(["openssl", "genrsa", "-out", key, "2048"]).returncode == 0
        key.chmod(0o644)
        self.postern.sections['dkim "example.org"'] = {"selector": "s", "key": str(key)}
        self.postern.sections["tls-report"] = {"organization": "Example Org", "contact": "tls@example.org"}
        self.postern.start()

    def ask(self, key, table=None):
        return told(self.lab.run("postmap", "-q", key, table or map_at(f"inet:127.0.0.1:{PORT}")))

    def process(self):
        return next(pid for pid in descendants(self.postern.process.pid) if command_line(pid).endswith("policy"))


@pytest.fixture(scope="module")
def lab(shared_place):
    need_name_spaces()
    with Inside(shared_place / "lab") as running:
        yield running


@pytest.fixture(scope="module")
def beside(lab, shared_place):
    running = Beside(lab, shared_place / "beside")
    yield running
    assert running.postern.stop() == 0, running.postern.text()[-4000:]


@pytest.fixture(scope="module")
def answers(beside):
    domains = [domain_of(name) for name in TABLE]
    said = beside.lab.run_each(domains, lambda d: ["postmap", "-q", d, map_at(f"inet:127.0.0.1:{PORT}")])
    return {domain: told(done) for domain, done in said.items()}


# --- what Postfix is told ----------------------------------------------------------


@pytest.mark.parametrize("case", [name for name in TABLE if expected(name) is not None])
def test_the_answer_for_each_domain(answers, case):
    said, wanted = answers[domain_of(case)], expected(case)
    if wanted.startswith(LATER):
        assert said.startswith(LATER) and wanted.removeprefix(LATER) in said
    else:
        assert said == wanted, TABLE[case]["shows"]


def test_there_is_an_answer_in_the_table_for_each_policy():
    missing = [name for name in TABLE if name.startswith(("dane-", "sts-")) and expected(name) is None]
    assert not missing


def test_reports_get_the_policy(beside):
    said = beside.ask("sts-wildcard.lab.example", map_at(f"inet:127.0.0.1:{PORT}", "queryWITHtlsrpt"))
    assert said.startswith("secure match=.sts-wildcard.lab.example servername=hostname policy_type=sts "
                           "policy_domain=sts-wildcard.lab.example mx_host_pattern=*.sts-wildcard.lab.example "
                           "{ policy_string = version: STSv1 } { policy_string = mode: enforce }")


def test_a_host_in_brackets_is_that_host(beside):
    assert beside.ask("[mx.dane-ee.lab.example]") == "dane-only"
    assert beside.ask("[mx.dane-ee.lab.example]:25") == "dane-only"
    assert beside.ask("[mx.dane-ee.lab.example]:587") == NOTHING        # no TLSA record for that port
    assert beside.ask("[mx.sts-enforce.lab.example]") == NOTHING
    assert beside.ask("DANE-EE.lab.example:25") == "dane-only"
    assert beside.ask("[mx.dane-ee.lab.example]:smtp") == "dane-only"
    assert beside.ask("[mx.dane-ee.lab.example]:submission") == NOTHING
    assert beside.ask("dane-ee.lab.example:") == "dane-only"


@pytest.mark.parametrize("key", [".lab.example", ".example", "[192.0.2.1]:25", "[IPv6:2001:db8::1]", "192.0.2.1", "no..name"])
def test_what_there_is_nothing_to_say_of(beside, key):
    assert beside.ask(key) == NOTHING


@pytest.mark.parametrize("key, words", [("[mx.dane-ee.lab.example]:relay", "that port by its name"),
                                        ("dane-ee.lab.example:0", "that port by its name"),
                                        ("m\u00fcller.lab.example", "names in UTF-8")])
def test_what_is_not_understood_has_to_wait(beside, key, words):
    """NOTFOUND would leave it to main.cf, though a rule or the domain may ask for more."""
    with socket.socket(socket.AF_UNIX) as s:        # postmap may keep UTF-8 to itself
        s.connect(str(beside.sockets / "map"))
        assert words in ask_by_hand(s, key) and ask_by_hand(s, key).startswith("TEMP ")


def test_a_map_that_is_not_there_is_an_error(beside):
    done = beside.lab.run("postmap", "-q", "example.org", map_at(f"inet:127.0.0.1:{PORT}", "elsewhere"))
    assert done.returncode == 1 and "there are the maps QUERY" in done.stderr


def test_the_other_sockets_answer_the_same(beside):
    for table in (map_at(f"unix:{beside.sockets}/map"), f"tcp:127.0.0.1:{PORT + 1}"):
        assert beside.ask("sts-enforce.lab.example", table) == SECURE.format("mx.sts-enforce.lab.example")
        assert beside.ask("may.lab.example", table) == NOTHING
        assert beside.ask("bogus.lab.example", table).startswith(LATER)


def test_rules_speak_to_postfix_too(lab, beside, shared_place):
    beside.postern.stop()
    other = Beside(lab, shared_place / "rules")
    try:
        assert other.ask("unsigned.lab.example") == "encrypt"
        assert other.ask("sts-testing.lab.example") == SECURE.format("mx.sts-testing.lab.example:.other.example")
        assert other.ask("may.lab.example") == "fingerprint match=" + ":".join(["AB"] * 32) + " servername=hostname"
        assert other.ask("dane-insecure-host.lab.example") == "dane-only"
        assert other.ask("plain.lab.example") == "none"
        assert other.ask("sts-max-age-0.lab.example").startswith(LATER)     # it asks for TLS
        assert other.ask("unsigned-servfail.lab.example") == "may"
        assert other.ask("starttls-454.lab.example") == NOTHING
        for key in ("[relay.rule.example]", "[relay.rule.example]:submission", "[relay.rule.example]:587", "[relay.rule.example]:"):
            assert other.ask(key) == SECURE.format("relay.rule.example")
        for key in ("[192.0.2.1]", "[192.0.2.1]:submission", "192.0.2.1"):
            assert other.ask(key) == "fingerprint match=" + ":".join(["CD"] * 32) + " servername=hostname"
        assert other.ask("[2001:db8::1]:submission") == other.ask("[ipv6:2001:DB8::1]") == "encrypt"
        assert other.ask("[192.0.2.2]") == NOTHING
    finally:
        assert other.postern.stop() == 0
        beside.postern.start()


# --- it stays there ------------------------------------------------------------------


def test_answers_go_on_when_the_process_dies_and_when_all_is_reloaded(beside):
    was = beside.process()
    beside.lab.run("kill", "-9", str(was))
    eventually(lambda: any(command_line(pid).endswith("policy") and pid != was
                           for pid in descendants(beside.postern.process.pid)), 20, "another one takes its place")
    assert beside.ask("sts-enforce.lab.example") == SECURE.format("mx.sts-enforce.lab.example")
    was = beside.process()
    beside.postern.reload()
    eventually(lambda: beside.postern.events("reload.done"), 20, "it is reloaded")
    eventually(lambda: was not in descendants(beside.postern.process.pid), 20, "the former one is gone")
    assert beside.ask("dane-ee.lab.example", map_at(f"unix:{beside.sockets}/map")) == "dane-only"


def test_a_policy_outlives_a_restart(beside):
    """It is kept with the store, as for deliveries: the window of the first use does not open again."""
    before = len(beside.postern.events("sts.policy", domain="sts-enforce.lab.example"))
    assert beside.ask("sts-enforce.lab.example") == SECURE.format("mx.sts-enforce.lab.example")
    beside.postern.stop()
    beside.postern.start()
    assert beside.ask("sts-enforce.lab.example") == SECURE.format("mx.sts-enforce.lab.example")
    fetched = beside.postern.events("sts.policy", domain="sts-enforce.lab.example")
    assert len(fetched) == before


class Held(str):
    """A policy that the host does not give out before `free` is set."""

    free = None

    def encode(self, *_):
        self.free.wait(30)
        return super().encode()


def test_a_policy_that_comes_after_the_first_answer_counts_from_then_on(postern, dns, web, authority):
    """MTASTS-032: who asked first did not wait for it; nothing that was concluded without it is kept, under any key."""
    port, keys = free_port(), (DOMAIN, f"{DOMAIN}:25", f"{DOMAIN}:smtp", f"{DOMAIN}.")
    dns.mail_hosts(DOMAIN, (HOST, "127.0.0.1"))
    dns.set(f"_mta-sts.{DOMAIN}", "TXT", '"v=STSv1; id=one"')
    dns.set(f"mta-sts.{DOMAIN}", "A", web.address)
    web.body = Held(policy(HOST))
    web.body.free = threading.Event()
    postern.delivery["ca-file"] = authority.file
    postern.sts = {"port": web.port, "ca-file": authority.file, "patience": 1, "fetch-time": 30}
    postern.sections["postfix"] = {"socketmap": [f"127.0.0.1:{port}"]}
    postern.start()
    with socket.create_connection(("127.0.0.1", port), timeout=20) as s:
        assert [ask_by_hand(s, key) for key in keys] == ["NOTFOUND "] * len(keys)
        assert {e["keep-s"] for e in postern.events("postfix.answer")} == {"60"}
        web.body.free.set()
        eventually(lambda: postern.events("sts.policy", domain=DOMAIN), 10, "the policy has come")
        assert [ask_by_hand(s, key) for key in keys] == ["OK " + SECURE.format(HOST)] * len(keys)


# --- what Postfix tells -----------------------------------------------------------------


def datagram(domain, *policies):
    return json.dumps({"dpv": "1", "d": domain, "pr": "v=TLSRPTv1;rua=mailto:tls@example.org", "policies": policies}).encode()


def test_what_postfix_tells_stands_in_reports(beside):
    failure = {"c": 203, "s": "192.0.2.1", "r": "192.0.2.2", "n": "mx.told.example", "f": "self-signed"}
    policy = {"policy-type": 2, "policy-domain": "told.example", "policy-string": ["version: STSv1", "mode: enforce"],
              "mx-host": ["*.told.example"], "f": 1, "t": 1, "failure-details": [failure]}
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.connect(str(beside.sockets / "tlsrpt"))
        for _ in range(3):
            s.send(datagram("told.example", {"policy-type": 9, "f": 0, "t": 0}))
        s.send(datagram("told.example", policy))
        s.send(b"{")
    day = time.strftime("%Y-%m-%d", time.gmtime())

    def report():
        done = beside.postern.command("report", "show", "told.example", "--day", day, "--json", "-c", beside.postern.file)
        told = json.loads(done.stdout)["policies"] if done.returncode == 0 and done.stdout.strip() else []
        return {p["policy"]["policy-type"]: p for p in told} if len(told) == 2 else None
    told = eventually(report, 15, "both policies are counted", every=0.5)
    assert told["no-policy-found"]["summary"] == {"total-successful-session-count": 3, "total-failure-session-count": 0}
    assert told["no-policy-found"]["policy"]["policy-domain"] == "told.example"
    assert told["sts"]["policy"]["policy-string"] == ["version: STSv1", "mode: enforce"]
    assert told["sts"]["policy"]["mx-host"] == ["*.told.example"]
    assert told["sts"]["failure-details"][0]["result-type"] == "certificate-not-trusted"
    assert told["sts"]["failure-details"][0]["receiving-mx-hostname"] == "mx.told.example"
    assert len(beside.postern.events("tlsrpt.refused")) == 1


# --- and mail goes as it would from us ------------------------------------------------------


@pytest.fixture(scope="module")
def ours(lab, shared_place):
    return ask_postern(lab, shared_place, [domain_of(name) for name in ORDINARY])


@pytest.fixture(scope="module")
def theirs(lab, beside, shared_place):
    postfix = Postfix(lab, shared_place / "postfix", "127.0.0.9")
    with (shared_place / "postfix/main.cf").open("a") as conf:
        conf.write(f"smtp_tls_policy_maps = {map_at(f'inet:127.0.0.1:{PORT}')}\n")
    postfix.start()
    try:
        return postfix.send_to([domain_of(name) for name in ORDINARY])
    finally:
        postfix.stop()


@pytest.mark.parametrize("case", ORDINARY)
def test_mail_goes_as_it_would_from_us(ours, theirs, case):
    own, other = ours[domain_of(case)].verdict(), theirs[domain_of(case)]
    if case in DIFFERENT:
        word, why = DIFFERENT[case]
        assert other.word == word, f"it is {other} now, and not for this reason: {why}"
        assert other != own, f"they agree on {case} now: {own}"
    else:
        assert other == own, f"Postfix says {other} of {case} ({TABLE[case]['shows']}), postern {own}"
