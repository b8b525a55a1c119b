"""Postern's verdicts beside those of programs that are not ours, case by case, in the same lab.

posttls-finger and Postfix (OpenSSL) and Exim (GnuTLS) judge DANE, postfix-mta-sts-resolver judges MTA-STS. Where one of
them says something else it stands in a table below, with the reason; docs/policy.md tells the operator."""

import dataclasses

import pytest

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from harness.inside import Inside, need_name_spaces
from harness.lab import cases, domain_of
from harness.oracles import Exim, Postfix, Verdict, ask_finger, ask_postern, ask_sts_resolver

# A handshake that hangs is waited for as long as a delivery would wait, minutes.
TOO_SLOW = ("tls-stall",)
TABLE = {name.removesuffix(".lab.example"): row for name, row in cases().items()}
# An empty TLSA record makes Postfix 3.7 panic (posttls-finger shows it), and its master then starts no client for a while.
CRASHES_POSTFIX = ("dane-empty",)
# An ordinary message will do for all but what needs "TLS-Required: No".
ORDINARY = [name for name, row in TABLE.items() if name not in TOO_SLOW and row["message"] != "TLS-Required: No"]
WITH_STS = [name for name in ORDINARY if "sts" in name]
WITHOUT_STS = [name for name in ORDINARY if name not in WITH_STS]
FOR_POSTFIX = [name for name in WITHOUT_STS if name not in CRASHES_POSTFIX]

# Who says something else, what, and why. Each row is looked at: it must still be said, and still differ from postern's word.
INSECURE_MX = "RFC 7672 2.2.1 lets a client choose: "
OLD = "RFC 8996 forbids it, and postern does not count it as encryption"
FINGER = {
    "dane-empty": ("crash", "panics: it asks for no bytes of memory"),
    "starttls-injection": ("encrypted", "drops what was said in clear behind the consent to STARTTLS, and goes on"),
}
EXIM = {
    "dane-ta-full": ("refused", "GnuTLS looks for the anchor among the certificates that were sent, not in the record"),
    "dane-ta-next-hop": ("refused", "takes no name but the host's; RFC 7672 3.2.2 allows the recipient's domain as well"),
    "dane-digest": ("verified", "no digest agility (RFC 7671 9): any digest will do, the weakest as well"),
    "dane-cname-original": ("encrypted", "asks for TLSA records at the end of the alias only; RFC 7672 2.2.2 wants both"),
    "dane-cname-insecure": ("encrypted", "the same: RFC 7672 2.1.3 and 2.2.2 want the name that DNSSEC protects"),
}
DIFFERENT = {
    "posttls-finger": FINGER,
    "posttls-finger, dane-only": {
        "dane-empty": FINGER["dane-empty"],
        "dane-insecure-mx": ("trusted", INSECURE_MX + "Postfix shows what it would find; postern's dane-only wants a secure MX answer"),
    },
    "Exim": {
        **EXIM,
        "dane-insecure-mx": ("encrypted", INSECURE_MX + "Exim then asks for no TLSA records; postern compares, and says trusted"),
        "starttls-injection": ("in clear", "notices (\"synch error\"), and delivers unencrypted to the one who injected"),
        "tls-old": ("encrypted", "still speaks TLS 1.0; " + OLD),
    },
    "Exim, dane-only": {
        **{case: row for case, row in EXIM.items() if not case.startswith("dane-cname")},
        **{case: ("refused", EXIM[case][1]) for case in EXIM if case.startswith("dane-cname")},
        **{case: ("encrypted", "hosts_require_dane is content with records that are all unusable, and then compares nothing")
           for case in ("dane-unusable", "dane-malformed", "dane-empty")},
        "dane-mixed": ("refused", "bounces at the first host without TLSA records, though the second has them"),
    },
    "Postfix": {
        "starttls-injection": FINGER["starttls-injection"],
        "tls-old": ("encrypted", "where it checks no certificate it still speaks TLS 1.0; " + OLD),
    },
    "Postfix with MTA-STS": {
        "sts-wildcard-deep": ("verified", "the service tells it \".DOMAIN\" for \"*.DOMAIN\", which fits at any depth"),
        "sts-name-mx": ("verified", "compares the certificate with the patterns of the policy, not with the host's name"),
        "sts-cn-only": ("verified", "takes the common name when there is no other; RFC 8461 4.2 wants a DNS name"),
        "dane-fail-sts-good": ("verified", "what the service says replaces DANE; RFC 8461 2 forbids it"),
    },
}


@pytest.fixture(scope="module")
def lab(shared_place):
    need_name_spaces()
    with Inside(shared_place / "lab") as running:
        yield running


@pytest.fixture(scope="module")
def ours(lab, shared_place):
    return ask_postern(lab, shared_place, [domain_of(name) for name in ORDINARY])


@pytest.fixture(scope="module")
def ours_strict(lab, shared_place):
    """The same with the operator's level dane-only."""
    return ask_postern(lab, shared_place, [domain_of(name) for name in WITHOUT_STS], "dane-only")


def compare(oracle, case, ours, theirs):
    """What they say is what we say, or what the table says of it."""
    expected, why = DIFFERENT.get(oracle, {}).get(case, (None, None))
    if expected:
        assert theirs.word == expected, f"{oracle} says {theirs} of {case}, no longer {expected} ({why})"
        assert theirs != ours, f"{oracle} and postern now agree on {case}: {ours}"
    else:
        assert theirs == ours, f"{oracle} says {theirs} of {case} ({TABLE[case]['shows']}), postern {ours}"


AS_THE_TABLE_SAYS = {"delivered verified": ("verified",), "delivered encrypted": ("encrypted", "trusted"),
                     "delivered in clear": ("in clear",), "deferred": ("refused",), "bounced": ("refused",)}


@pytest.mark.parametrize("case", [name for name in ORDINARY if not TABLE[name]["message"]])
def test_what_we_explain_is_what_the_table_says(ours, case):
    """test_policy.py sees mail go as the table says: so what is compared here is what deliveries do."""
    assert ours[domain_of(case)].verdict().word in AS_THE_TABLE_SAYS[TABLE[case]["outcome"]]


# --- posttls-finger, host by host ------------------------------------------------------


def finger_subjects(answers):
    """[(subject, domain, host)]: a domain stands for its first host; later hosts are asked for by name."""
    rows = []
    for domain, said in answers.items():
        hosts = list(said.hosts)
        rows.append((domain, domain, hosts[0] if hosts else None))
        rows += [(f"[{host}]", domain, host) for host in hosts[1:]]
    return rows


@pytest.fixture(scope="module")
def finger(lab, ours):
    return ask_finger(lab, [row[0] for row in finger_subjects(ours)])


@pytest.fixture(scope="module")
def finger_strict(lab, ours_strict):
    return ask_finger(lab, [row[0] for row in finger_subjects(ours_strict)], "dane-only")


def compare_hosts(oracle, case, said, answers):
    domain = domain_of(case)
    for subject, _, host in finger_subjects({domain: answers[domain]}):
        word, _ = said[subject]
        our_word = answers[domain].hosts.get(host, "refused")
        if word in ("no TLS", "broken TLS"):    # it sends no mail, so it does not say what would become of it then
            assert our_word in ("in clear", "refused"), f"{oracle} finds {word} at {host}, but postern says {our_word}"
        else:
            compare(oracle, case, Verdict(our_word), Verdict(word))


@pytest.mark.parametrize("case", WITHOUT_STS)
def test_posttls_finger_sees_each_host_as_we_do(ours, finger, case):
    compare_hosts("posttls-finger", case, finger, ours)


@pytest.mark.parametrize("case", WITHOUT_STS)
def test_posttls_finger_agrees_about_dane_only(ours_strict, finger_strict, case):
    compare_hosts("posttls-finger, dane-only", case, finger_strict, ours_strict)


# --- mta-sts-query ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def policies(lab):
    return ask_sts_resolver(lab, [domain_of(name) for name in ORDINARY])


@pytest.mark.parametrize("case", ORDINARY)
def test_mta_sts_query_finds_the_same_policy(ours, policies, case):
    assert policies[domain_of(case)] == ours[domain_of(case)].policy()


# --- Exim -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def exim(lab, shared_place):
    return Exim(lab, shared_place / "exim").send_to([domain_of(name) for name in WITHOUT_STS])


@pytest.fixture(scope="module")
def exim_strict(lab, shared_place):
    return Exim(lab, shared_place / "exim-strict", "dane-only").send_to([domain_of(name) for name in WITHOUT_STS])


@pytest.mark.parametrize("case", WITHOUT_STS)
def test_exim_sends_as_we_do(ours, exim, case):
    compare("Exim", case, ours[domain_of(case)].verdict(expanded=True), exim[domain_of(case)])


@pytest.mark.parametrize("case", WITHOUT_STS)
def test_exim_agrees_about_dane_only(ours_strict, exim_strict, case):
    compare("Exim, dane-only", case, ours_strict[domain_of(case)].verdict(expanded=True), exim_strict[domain_of(case)])


# --- Postfix --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def postfix(lab, shared_place, certificate):
    """It sends by DANE, and by MTA-STS where there may be a policy; and it is a host with TLSA records."""
    peer = Postfix(lab, shared_place / "postfix", "127.0.0.4", certificate)
    try:
        yield peer.start({domain_of(name): "sts" for name in WITH_STS})
    finally:
        peer.stop()


@pytest.fixture(scope="module")
def postfix_sent(postfix):
    return postfix.send_to([domain_of(name) for name in WITH_STS + FOR_POSTFIX])


@pytest.mark.parametrize("case", FOR_POSTFIX)
def test_postfix_sends_as_we_do(ours, postfix_sent, case):
    compare("Postfix", case, ours[domain_of(case)].verdict(), postfix_sent[domain_of(case)])


@pytest.mark.parametrize("case", WITH_STS)
def test_postfix_with_a_policy_service_sends_as_we_do(ours, postfix_sent, case):
    compare("Postfix with MTA-STS", case, ours[domain_of(case)].verdict(), postfix_sent[domain_of(case)])


# --- as servers: real ones, with TLSA records for their own certificates ---------------------------


SERVERS = ("exim", "postfix")
RECORDS = {"end": "verified", "anchor": "verified", "wrong": "refused"}


@pytest.fixture(scope="module")
def certificate(authority, shared_place):
    """One for the hosts of all domains below, with its authority behind it."""
    made = authority.issue(*(f"mx.{server}-{kind}.example" for server in SERVERS for kind in RECORDS))
    chain = shared_place / "chain.pem"
    chain.write_bytes(made.chain.read_bytes() + authority.file.read_bytes())
    return dataclasses.replace(made, chain=chain)


def key_digest(certificate):
    key = certificate.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    digest = hashes.Hash(hashes.SHA256())
    digest.update(key)
    return digest.finalize().hex()


@pytest.fixture(scope="module")
def servers(lab, shared_place, authority, certificate, postfix):
    """Both run, and their domains are in the DNS: what postern says of them, and what posttls-finger says."""
    exim = Exim(lab, shared_place / "exim-server", address="127.0.0.3", certificate=certificate)
    anchor = x509.load_pem_x509_certificate(authority.file.read_bytes())
    data = {"end": "3 1 1 " + key_digest(x509.load_der_x509_certificate(certificate.der)),
            "anchor": "2 1 1 " + key_digest(anchor), "wrong": "3 1 1 " + "5a" * 32}
    domains = {f"{server}-{kind}.example": (peer.address, data[kind])
               for server, peer in zip(SERVERS, (exim, postfix)) for kind in RECORDS}
    lab.publish(line for domain, (address, tlsa) in domains.items() for line in (
        f"{domain}. 60 IN MX 10 mx.{domain}.", f"mx.{domain}. 60 IN A {address}", f"_25._tcp.mx.{domain}. 60 IN TLSA {tlsa}"))
    try:
        exim.start()
        yield ask_postern(lab, shared_place / "servers", domains), ask_finger(lab, domains)
    finally:
        exim.stop()


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("kind", RECORDS)
def test_servers_with_tlsa_records_are_what_they_say(servers, server, kind):
    ours, fingers = servers
    domain = f"{server}-{kind}.example"
    assert ours[domain].verdict().word == RECORDS[kind]
    assert fingers[domain][0] == RECORDS[kind]


def test_enough_is_compared():
    """A lab that lost its cases, or tables that excuse all, would make every comparison above empty."""
    assert len(WITHOUT_STS) > 40 and len(WITH_STS) > 25
    assert all(len(rows) < 12 for rows in DIFFERENT.values())
    assert all(case in TABLE for rows in DIFFERENT.values() for case in rows)
