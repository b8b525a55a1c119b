"""The lab is what its table says, as independent tools see it: dnspython, OpenSSL, swaks, posttls-finger."""

import http.client
import os
import re
import shutil
import smtplib
import socket
import ssl

import pytest

import dns.flags
import dns.rcode
import dns.rdatatype
import dns.resolver

from harness.lab import Lab, cases, domain_of, laboratory
from harness.postern import program
from harness.processes import Process, eventually, free_port, run

SMTP_WAIT = 10


def records(reply, kind):
    return [rdata for rrset in reply.answer if rrset.rdtype == dns.rdatatype.from_text(kind) for rdata in rrset]


def is_secure(reply):
    return reply.rcode() == dns.rcode.NOERROR and bool(reply.flags & dns.flags.AD)


def is_insecure(reply):
    return reply.rcode() == dns.rcode.NOERROR and not reply.flags & dns.flags.AD


def fails(reply):
    return reply.rcode() == dns.rcode.SERVFAIL


def tlsa(lab, base, **options):
    return lab.ask(f"_{lab.ports['smtp']}._tcp.{domain_of(base)}", "TLSA", **options)


# --- the table -----------------------------------------------------------------


def test_the_table_names_every_case_and_what_to_do():
    table = cases()
    assert len(table) > 70
    for name, row in table.items():
        assert name.endswith(".lab.example")
        assert row["outcome"] in ("delivered verified", "delivered encrypted", "delivered in clear", "deferred", "bounced")
        assert re.fullmatch(r"(DANE|MTASTS|REQTLS|SMTP|TLSRPT|PD|DT)-[\dA-Z]+", row["spec"]), name
    shown = run([program(), "lab", "list"]).stdout.splitlines()
    assert len(shown) == len(table) + 1
    assert [line.split()[0] for line in shown[1:]] == list(table)


@pytest.mark.parametrize("arguments, complaint", [
    ([], "list, up, run or attack"), (["dance"], "dance"), (["up", "--smtp-port", "70000"], "70000"),
    (["up", "--attack", "dane-ee=tickle"], "tickle"), (["up", "--attack", "nobody=strip"], "nobody"),
    (["up", "--base-address", "::1"], "::1"), (["run"], "command"), (["attack", "strip"], "--listen"),
    (["attack", "--listen", "127.0.0.1:0", "--to", "127.0.0.1:1", "tickle"], "tickle"), (["list", "more"], "more")])
def test_wrong_arguments_are_told(arguments, complaint):
    ended = run([program(), "lab", *arguments])
    assert ended.returncode == 64 and complaint in ended.stderr


# --- the DNS ---------------------------------------------------------------------


def test_the_tree_is_signed_from_the_root_down(lab):
    for zone in (".", "example.", "lab.example."):
        assert is_secure(lab.ask(zone, "DNSKEY")), zone
    assert is_secure(lab.ask("dane-ee.lab.example", "MX"))
    assert lab.ask("nothing.lab.example", "MX").rcode() == dns.rcode.NXDOMAIN


def test_what_is_unsigned_comes_without_proof(lab):
    for name in ("unsigned", "sts-unsigned", "dane-insecure-mx"):
        assert is_insecure(lab.ask(domain_of(name), "MX")), name
    assert is_insecure(lab.ask("mx.away.dane-insecure-host.lab.example", "A"))
    assert is_secure(lab.ask("mx.signed-host.lab.example", "A"))


@pytest.mark.parametrize("name", ["bogus", "expired-zone"])
def test_broken_signatures_do_not_validate(lab, name):
    assert fails(lab.ask(domain_of(name), "MX"))
    assert records(lab.ask(domain_of(name), "MX", check=False), "MX")


def test_only_the_signature_that_is_to_be_broken_is(lab):
    assert is_secure(lab.ask("mx.bogus.lab.example", "A"))
    assert is_secure(lab.ask("dane-bogus-tlsa.lab.example", "MX"))
    assert fails(tlsa(lab, "mx.dane-bogus-tlsa"))
    assert records(tlsa(lab, "mx.dane-bogus-tlsa", check=False), "TLSA")


def test_a_name_server_fails_on_tlsa_and_nothing_else(lab):
    assert is_secure(lab.ask("dane-servfail.lab.example", "MX"))
    assert is_secure(lab.ask("mx.dane-servfail.lab.example", "A"))
    assert fails(tlsa(lab, "mx.dane-servfail"))
    assert is_insecure(lab.ask("mx.unsigned-servfail.lab.example", "A"))
    assert fails(tlsa(lab, "mx.unsigned-servfail"))


def test_tlsa_records_are_where_the_table_says(lab):
    assert len(records(tlsa(lab, "mx.dane-many"), "TLSA")) == 60
    assert sorted(len(r.cert) for r in records(tlsa(lab, "mx.dane-malformed"), "TLSA")) == [1, 31, 33, 63]
    assert len(records(tlsa(lab, "host.dane-cname"), "TLSA")) == 1
    assert not records(tlsa(lab, "mx.dane-cname"), "TLSA")
    assert len(records(tlsa(lab, "mx.dane-cname-original"), "TLSA")) == 1
    assert not records(tlsa(lab, "host.dane-cname-original"), "TLSA")
    aliased = tlsa(lab, "mx.dane-tlsa-cname")
    assert is_secure(aliased) and records(aliased, "CNAME") and records(aliased, "TLSA")
    into = lab.ask("mx.dane-cname-insecure.lab.example", "A")
    assert is_insecure(into) and records(into, "CNAME") and records(into, "A")
    assert is_secure(lab.ask("mx.dane-cname-insecure.lab.example", "CNAME"))


def test_a_tlsa_record_without_data_is_served(lab):
    # dnspython will not take such a record, so the wire is looked at
    name = f"_{lab.ports['smtp']}._tcp.mx.dane-empty.lab.example"
    query = dns.message.make_query(name, "TLSA", want_dnssec=True)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.settimeout(5)
        udp.sendto(query.to_wire(), lab.dns)
        wire = udp.recv(4096)
    assert b"\x00\x34\x00\x01" in wire and b"\x00\x03\x03\x01\x01" in wire      # TLSA IN ... three bytes


def test_mail_exchangers(lab):
    null, = records(lab.ask("null-mx.lab.example", "MX"), "MX")
    assert null.preference == 0 and str(null.exchange) == "."
    assert not records(lab.ask("dane-no-mx.lab.example", "MX"), "MX")
    assert records(lab.ask("dane-no-mx.lab.example", "A"), "A")
    two = records(lab.ask("dane-backup.lab.example", "MX"), "MX")
    assert sorted((r.preference, str(r.exchange)) for r in two) == [
        (10, "mx1.dane-backup.lab.example."), (20, "mx2.dane-backup.lab.example.")]


def test_policy_records(lab):
    assert len(records(lab.ask("_mta-sts.sts-enforce.lab.example", "TXT"), "TXT")) == 1
    assert len(records(lab.ask("_mta-sts.sts-two-records.lab.example", "TXT"), "TXT")) == 2
    assert not records(lab.ask("_mta-sts.dane-ee.lab.example", "TXT"), "TXT")


# --- the mail hosts ------------------------------------------------------------------


def trusting(lab):
    return ssl.create_default_context(cafile=lab.ca)


def trusting_all():
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def connect(lab, host):
    return smtplib.SMTP(*lab.host(host), timeout=SMTP_WAIT, local_hostname="client.example.org")


def secure(lab, host, context):
    client = connect(lab, host)
    client._host = domain_of(host)          # what smtplib asks of the certificate
    client.ehlo()
    client.starttls(context=context)
    client.ehlo()
    return client


def test_mail_is_kept_with_its_envelope(lab):
    with secure(lab, "mx.may", trusting_all()) as client:
        client.sendmail("alice@example.org", ["bob@may.lab.example"], "Subject: Hello\r\n\r\n.Dots stay.\r\n")
    kept = lab.mail("may")[-1]
    assert (kept.sender, kept.recipients, kept.host) == ("alice@example.org", ["bob@may.lab.example"], "mx.may.lab.example")
    assert kept.encrypted and "TLSv1.3" in kept.received and kept.server_name == "mx.may.lab.example"
    assert kept.bytes.endswith(b"Subject: Hello\r\n\r\n.Dots stay.\r\n")
    with connect(lab, "mx.may") as client:
        client.sendmail("", ["bob@may.lab.example"], "Subject: In clear\r\n\r\nHello\r\n")
    assert not lab.mail("may")[-1].encrypted and lab.mail("may")[-1].sender == ""


def test_swaks_delivers(lab):
    address, port = lab.host("mx1.dane-backup")
    ended = run(["swaks", "--server", address, "--port", str(port), "--tls", "--to", "bob@dane-backup.lab.example",
                 "--from", "alice@example.org", "--helo", "client.example.org"])
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert lab.mail("dane-backup")[-1].host == "mx1.dane-backup.lab.example"


CERTIFICATES = {"sts-enforce": "", "dane-and-sts": "", "may": "self-signed", "sts-untrusted-mx": "self-signed",
                "sts-expired-mx": "expired", "sts-name-mx": "not valid for", "sts-cn-only": "not valid for",
                "dane-ta": "self-signed certificate in certificate chain",
                "dane-ta-missing": "unable to get local issuer", "dane-expired": "self-signed|expired"}


@pytest.mark.parametrize("case", CERTIFICATES)
def test_certificates_are_good_or_bad_as_the_table_says(lab, case):
    context = trusting(lab)
    context.hostname_checks_common_name = False
    if CERTIFICATES[case]:
        with pytest.raises(ssl.SSLCertVerificationError, match=CERTIFICATES[case]):
            secure(lab, f"mx.{case}", context)
    else:
        secure(lab, f"mx.{case}", context).quit()


def test_starttls_is_missing_where_it_should_be(lab):
    for case in ("plain", "dane-no-starttls", "sts-no-starttls"):
        with connect(lab, f"mx.{case}") as client:
            client.ehlo()
            assert not client.has_extn("starttls"), case
    with connect(lab, "mx.starttls-454") as client:
        client.ehlo()
        assert client.has_extn("starttls")
        assert client.docmd("STARTTLS")[0] == 454
        assert client.docmd("NOOP")[0] == 250


def say(connection, line):
    connection.sendall(line + b"\r\n")


def hear(connection):
    """One reply, all of its lines."""
    heard = b""
    while not re.search(rb"(?m)^\d{3} [^\n]*\n\Z", heard):
        piece = connection.recv(4096)
        assert piece, heard
        heard += piece
    return heard


def up_to_starttls(address):
    connection = socket.create_connection(address, timeout=SMTP_WAIT)
    hear(connection)
    say(connection, b"EHLO client.example.org")
    heard = hear(connection)
    say(connection, b"STARTTLS")
    return connection, heard


def test_bytes_in_clear_follow_the_consent_to_starttls(lab):
    connection, _ = up_to_starttls(lab.host("mx.starttls-injection"))
    with connection:
        eventually(lambda: re.fullmatch(rb"220 .*\r\n250 .*injected.*\r\n", connection.recv(4096, socket.MSG_PEEK)),
                   what="220 and an injected reply")


def test_a_broken_handshake_is_garbage_and_a_stalled_one_is_silence(lab):
    with pytest.raises((ssl.SSLError, ConnectionError, smtplib.SMTPServerDisconnected)):
        secure(lab, "mx.tls-broken", trusting_all())
    connection, _ = up_to_starttls(lab.host("mx.tls-stall"))
    with connection:
        assert hear(connection).startswith(b"220 ")
        connection.settimeout(1)
        connection.sendall(b"\x16\x03\x01")
        with pytest.raises(socket.timeout):
            connection.recv(1)


def test_old_tls_is_old(lab):
    address, port = lab.host("mx.tls-old")
    asked = ["openssl", "s_client", "-connect", f"{address}:{port}", "-starttls", "smtp", "-brief"]
    old = run([*asked, "-tls1", "-cipher", "ALL:@SECLEVEL=0"], input="QUIT\n")
    assert "TLSv1" in old.stdout + old.stderr and "CONNECTION ESTABLISHED" in old.stdout + old.stderr
    new = run([*asked, "-no_tls1", "-no_tls1_1"], input="QUIT\n")
    assert "CONNECTION ESTABLISHED" not in new.stdout + new.stderr


def test_requiretls_is_offered_where_it_should_be(lab):
    # REQTLS-002, -003, -023, -024
    with secure(lab, "mx.requiretls", trusting_all()) as client:
        assert client.has_extn("requiretls")
        client.sendmail("alice@example.org", ["bob@requiretls.lab.example"], "Subject: Hello\r\n\r\nHello\r\n",
                        mail_options=["REQUIRETLS"])
    assert lab.mail("requiretls")[-1].requiretls
    with secure(lab, "mx.requiretls-missing", trusting_all()) as client:
        assert not client.has_extn("requiretls")
    with connect(lab, "mx.requiretls-clear-only") as client:
        client.ehlo()
        assert client.has_extn("requiretls")
    with secure(lab, "mx.requiretls-clear-only", trusting_all()) as client:
        assert not client.has_extn("requiretls")
    with connect(lab, "mx.tls-demanding") as client:
        client.ehlo()
        assert client.mail("alice@example.org")[0] == 530


# --- the policy hosts ---------------------------------------------------------------


def fetch(lab, case, context=None, timeout=5):
    address, port = lab.host(f"mta-sts.{case}")
    connection = http.client.HTTPSConnection(domain_of(f"mta-sts.{case}"), port, timeout=timeout,
                                             context=context or trusting(lab))
    connection._create_connection = lambda *_: socket.create_connection((address, port), timeout=timeout)
    connection.request("GET", "/.well-known/mta-sts.txt")
    return connection.getresponse()


def test_a_good_policy_is_served(lab):
    reply = fetch(lab, "sts-enforce")
    assert (reply.status, reply.getheader("Content-Type")) == (200, "text/plain")
    assert reply.read() == (b"version: STSv1\r\nmode: enforce\r\nmx: mx.sts-enforce.lab.example\r\nmax_age: 604800\r\n")


@pytest.mark.parametrize("case, words", [
    ("sts-testing", "mode: testing"), ("sts-none", "mode: none"), ("sts-wildcard", "mx: *.sts-wildcard.lab.example"),
    ("sts-mx-mismatch", "mx: other.sts-mx-mismatch.lab.example"), ("sts-ip-mx", "mx: [192.0.2.25]"),
    ("sts-max-age-0", "max_age: 0"), ("sts-fetch-bad", "mode: Enforce"),
    ("sts-backup", "mx: mx1.sts-backup.lab.example\r\nmx: mx2.sts-backup.lab.example")])
def test_policies_say_what_the_table_says(lab, case, words):
    assert words in fetch(lab, case).read().decode()


def test_policies_that_cannot_be_fetched(lab):
    assert fetch(lab, "sts-fetch-404").status == 404
    assert fetch(lab, "sts-fetch-302").status == 302
    assert fetch(lab, "sts-fetch-html").getheader("Content-Type") == "text/html"
    assert len(fetch(lab, "sts-fetch-huge").read()) > 1000 * 1000
    assert len(fetch(lab, "sts-fetch-endless").read(200000)) == 200000
    with pytest.raises(socket.timeout):
        fetch(lab, "sts-fetch-stall", timeout=1).read()


@pytest.mark.parametrize("case, words", [("sts-fetch-selfsigned", "self-signed"), ("sts-fetch-expired", "expired"),
                                         ("sts-fetch-wrong-name", "not valid for")])
def test_policy_hosts_with_bad_certificates(lab, case, words):
    with pytest.raises(ssl.SSLCertVerificationError, match=words):
        fetch(lab, case)
    assert fetch(lab, case, trusting_all()).status == 200


# --- the attacker ------------------------------------------------------------------------


def test_an_attack_can_be_switched_on_and_off(lab):
    def offers_tls():
        with connect(lab, "mx.sts-enforce") as client:
            client.ehlo()
            return client.has_extn("starttls")
    assert offers_tls()
    lab.attack("sts-enforce", "strip")
    assert not offers_tls()
    with connect(lab, "mx.sts-enforce") as client:
        client.sendmail("alice@example.org", ["bob@sts-enforce.lab.example"], "Subject: Read\r\n\r\nby others\r\n")
    assert not lab.mail("sts-enforce")[-1].encrypted
    lab.attack("sts-enforce", "certificate")
    with pytest.raises(ssl.SSLCertVerificationError):
        secure(lab, "mx.sts-enforce", trusting(lab))
    with secure(lab, "mx.sts-enforce", trusting_all()) as client:
        client.sendmail("alice@example.org", ["bob@sts-enforce.lab.example"], "Subject: Read\r\n\r\nby others\r\n")
    assert lab.mail("sts-enforce")[-1].encrypted
    lab.attack("sts-enforce", "none")
    secure(lab, "mx.sts-enforce", trusting(lab)).quit()


def test_an_attacker_with_an_address_of_his_own(lab, place):
    port = free_port()
    address, host_port = lab.host("mx.dane-ee")
    attacker = Process([program(), "lab", "attack", "--listen", f"127.0.0.1:{port}", "--to", f"{address}:{host_port}",
                        "certificate"], place / "log")
    attacker.wait_for("lab: ready")
    with smtplib.SMTP("127.0.0.1", port, timeout=SMTP_WAIT) as client:
        client.starttls(context=trusting_all())
        client.sendmail("alice@example.org", ["bob@dane-ee.lab.example"], "Subject: Secret\r\n\r\n" + "x" * 5000 + "\r\n")
    assert attacker.stop() == 0
    assert "C: Subject: Secret" in attacker.text()


def test_an_attack_can_be_given_at_the_start(place):
    with Lab(place / "lab", "--attack", "may=refuse", base="127.78.0.0") as lab:
        with connect(lab, "mx.may") as client:
            client.ehlo()
            assert client.docmd("STARTTLS")[0] == 454
        before = (lab.directory / "root.key").read_bytes(), lab.ca.read_bytes()
    with Lab(place / "lab", base="127.78.0.0") as lab:      # the same directory: the same keys
        assert before == ((lab.directory / "root.key").read_bytes(), lab.ca.read_bytes())
        assert is_secure(tlsa(lab, "mx.dane-ee"))
        with connect(lab, "mx.may") as client:
            client.starttls(context=trusting_all())


# --- a name space of its own ------------------------------------------------------------------


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="a network name space needs root")


@needs_root
def test_a_command_runs_in_the_lab():
    ended = laboratory("sh", "-c", "cat /etc/resolv.conf; test -r $LAB_CA && test $SSL_CERT_FILE = $LAB_CA && "
                       "test -d $LAB_DIRECTORY/mail && getent ahostsv4 mx.dane-ee.lab.example && exit 7")
    assert ended.returncode == 7, ended.stdout + ended.stderr
    assert ended.stdout.startswith("nameserver 127.0.0.1\noptions edns0 trust-ad\n")
    assert "127.77.0.10" in ended.stdout
    assert laboratory("no-such-program").returncode == 127


@needs_root
def test_a_policy_is_found_by_a_program_that_knows_nothing_of_the_lab():
    ended = laboratory("openssl", "s_client", "-connect", "mta-sts.sts-enforce.lab.example:443", "-servername",
                       "mta-sts.sts-enforce.lab.example", "-verify_return_error", "-brief", input="")
    assert "CONNECTION ESTABLISHED" in ended.stdout + ended.stderr


# What posttls-finger says of each outcome; exceptions are its own ways.
FINGER_SAYS = {"delivered verified": r"Verified TLS connection", "delivered encrypted": r"(Untrusted|Trusted) TLS connection"}
FINGER_FAILS = r"no matching DANE|hostname mismatch|certificate has expired|TLSA lookup error|lookup failed|STARTTLS"
FINGER_ALONE = {
    "dane-backup.lab.example": r"mx1\..*num=65:no matching DANE",       # it does not go on to the second host
    "dane-empty.lab.example": r"panic: mymalloc: requested length 0",   # it does not survive such a record
    "dane-no-starttls.lab.example": r"\A(?!.*TLS connection)",          # it says nothing
    "null-mx.lab.example": r"does not accept mail",
}


@needs_root
@pytest.mark.skipif(not shutil.which("posttls-finger"), reason="posttls-finger (postfix) is not installed")
def test_posttls_finger_sees_the_cases_of_dane_as_the_table_does():
    table = {name: row for name, row in cases().items()
             if row["spec"].startswith(("DANE-", "DT-")) or name.startswith(("dane-no", "null-mx"))}
    script = "".join(f"echo '=== {name}'; timeout 30 posttls-finger -c -t10 -l dane -o inet_protocols=ipv4 {name} 2>&1;"
                     for name in table)
    ended = laboratory("sh", "-c", script, seconds=300)
    said = dict(re.findall(r"=== (\S+)\n(.*?)(?=^=== |\Z)", ended.stdout, re.DOTALL | re.MULTILINE))
    assert set(said) == set(table)
    different = [f"{name}: {row['outcome']}, but posttls-finger: {said[name]}" for name, row in table.items()
                 if not re.search(FINGER_ALONE.get(name) or FINGER_SAYS.get(row["outcome"], FINGER_FAILS), said[name], re.DOTALL)]
    assert not different, "\n".join(different)


# --- policies as another sender reads them -------------------------------------------------------


# What mta-sts-query says of a policy; it is laxer than the grammar in one case.
QUERY_FINDS = {"sts-enforce": "VALID", "sts-unsigned": "VALID", "sts-testing": "VALID", "sts-none": "VALID",
               "sts-wildcard": "VALID", "sts-max-age-0": "VALID", "sts-fetch-404": "FETCH_ERROR", "sts-fetch-302": "FETCH_ERROR",
               "sts-fetch-html": "FETCH_ERROR", "sts-fetch-huge": "FETCH_ERROR", "sts-fetch-bad": "FETCH_ERROR",
               "sts-fetch-selfsigned": "FETCH_ERROR", "sts-fetch-expired": "FETCH_ERROR", "sts-fetch-wrong-name": "FETCH_ERROR",
               "sts-two-records": "NONE", "dane-ee": "NONE",
               "sts-ip-mx": "VALID"}      # MTASTS-045 says otherwise


@needs_root
@pytest.mark.skipif(not shutil.which("mta-sts-query"), reason="mta-sts-query (postfix-mta-sts-resolver) is not installed")
def test_mta_sts_query_finds_the_policies_that_the_table_has():
    script = "".join(f"echo '=== {name}'; mta-sts-query {domain_of(name)} 2>&1;" for name in QUERY_FINDS)
    said = dict(re.findall(r"=== (\S+)\n(.*?)(?=^=== |\Z)", laboratory("sh", "-c", script, seconds=300).stdout,
                           re.DOTALL | re.MULTILINE))
    found = {name: re.search(r"STSFetchResult\.(\w+)", words)[1] for name, words in said.items()}
    assert found == QUERY_FINDS
