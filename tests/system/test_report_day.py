"""A day in the lab: mail to every domain of it; midnight; reports are made, sent by mail and by HTTPS, read by a second
postern, and shown (RFC 8460). Days pass by faketime(1): the first postern is stopped before midnight and started again
behind it, so counts outlive a restart as well (TLSRPT-025)."""

import base64
import collections
import email
import gzip
import json
import os
import re
import subprocess
import time
import unittest.mock
from pathlib import Path

import dkim
import jsonschema
import pytest

from harness.inside import Inside, need_name_spaces
from harness.lab import Letter, cases, domain_of
from harness.postern import Postern, program
from harness.processes import eventually

SCHEMA = json.loads((Path(__file__).parent / "harness/tlsrpt.schema.json").read_text())
LATER = "+25h"              # of today: yesterday then is today, or, in its last hour, tomorrow
PARTNER, PARTNER_ADDRESS = "partner.example", "127.99.0.1"


def key_pair(folder, name):
    """An Ed25519 key: its file, and what DKIM publishes of it."""
    file = folder / f"{name}.pem"
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", file], check=True)
    der = subprocess.run(["openssl", "pkey", "-in", file, "-pubout", "-outform", "DER"], check=True, capture_output=True).stdout
    file.chmod(0o644)
    return file, base64.b64encode(der[-32:]).decode()


@pytest.fixture(scope="module")
def lab(shared_place):
    need_name_spaces()
    with Inside(shared_place / "lab") as running:
        yield running


@pytest.fixture(scope="module")
def signing(lab, shared_place):
    file, public = key_pair(shared_place, "dkim")
    lab.publish([f's1._domainkey.sender.example. 60 IN TXT "v=DKIM1; k=ed25519; s=tlsrpt; p={public}"',
                 f"{PARTNER}. 60 IN MX 10 mx.{PARTNER}.",
                 f"mx.{PARTNER}. 60 IN A {PARTNER_ADDRESS}",
                 f'_smtp._tls.{PARTNER}. 60 IN TXT "v=TLSRPTv1; rua=mailto:tls@{PARTNER},https://mx.{PARTNER}/tlsrpt"'])
    return file, public


def gate(place, lab, hostname, certificate=None):
    instance = Postern(place, None, certificate)
    instance.live_in(lab)
    instance.inside = lab
    instance.hostname = hostname
    instance.retry = {"first": 120, "most": 120, "give-up": 600, "give-up-bounce": 600, "delay-notice": 0}
    return instance


@pytest.fixture(scope="module")
def sender(lab, signing, shared_place, our_certificate):
    instance = gate(shared_place / "sender", lab, "mx.sender.example", our_certificate)
    instance.domains = {"sender.example": f"maildir {instance.maildirs}/sender.example"}
    instance.destinations["unsigned.lab.example"] = {"route": "mx", "tls": {"level": "dane-only"}}
    instance.sections = {
        'dkim "sender.example"': {"selector": "s1", "key": signing[0]},
        "tls-report": {"organization": "Sender Example", "contact": "tls@sender.example", "spread": 0,
                       "private-addresses": True},
        "facts": {"file": shared_place / "facts.jsonl", "keep": 1},
    }
    yield instance
    instance.stop(seconds=5)


@pytest.fixture(scope="module")
def partner(lab, signing, shared_place, our_certificate):
    instance = gate(shared_place / "partner", lab, f"mx.{PARTNER}", our_certificate)
    instance.address, instance.port = PARTNER_ADDRESS, 25
    instance.domains = {PARTNER: f"maildir {instance.maildirs}/{PARTNER}"}
    instance.sections = {"tls-report": {"receive": [f"tls@{PARTNER}"]},
                         "web": {"listen": [f"{PARTNER_ADDRESS}:443"]}}
    yield instance
    instance.stop(seconds=5)


def hand_in(lab, instance, recipients):
    done = lab.run("swaks", "--server", f"{instance.address}:{instance.submission_port}", "--tls", "--from",
                   "alice@sender.example", "--to", ",".join(recipients), "--header", "Subject: a day in the lab",
                   "--silent", "2")
    assert done.returncode == 0, done.stdout + done.stderr


def domains_of_the_lab():
    return [domain for domain, row in cases().items() if not row["message"]]


@pytest.fixture(scope="module")
def day(lab, sender, partner):
    """Today's deliveries: (the day, what the log says was seen: {domain: {"tlsa:success": 1, ...}})."""
    today = time.strftime("%Y-%m-%d", time.gmtime())
    partner.start()
    sender.start()
    domains = domains_of_the_lab()
    hand_in(lab, sender, [f"bob@{domain}" for domain in [*domains, PARTNER]])
    eventually(lambda: not [e for e in sender.waiting() if e["attempts"] == 0], 90, "every domain has been tried")
    time.sleep(3)               # sessions that are kept for more mail end, and are counted then
    assert sender.stop() == 0
    assert partner.stop() == 0
    if time.strftime("%Y-%m-%d", time.gmtime()) != today:
        pytest.skip("midnight came while mail was going out")
    seen = collections.defaultdict(collections.Counter)
    for event in sender.events("delivery.attempt"):
        for key in ("result", "result-too"):
            if key in event:
                seen[event["next-hop"]][event[key]] += 1
    return today, seen


@pytest.fixture(scope="module")
def next_day(lab, sender, partner, day):
    """Both posterns a day later, once every report has met its end: {domain: what became of it}."""
    partner.faketime = sender.faketime = LATER
    partner.start()
    sender.start()

    def states():
        lines = sender.command("report", "list", "--day", day[0], "--json", "-c", sender.file)
        assert lines.returncode == 0, lines.stderr
        rows = [json.loads(line) for line in lines.stdout.splitlines()]
        return {row["domain"]: row for row in rows}
    return eventually(lambda: (all(row["stage"] not in ("waiting", "unplanned") for row in states().values()) and states()),
                      90, lambda: f"every report is sent: {states()}", every=1)


def report_of(sender, day, domain):
    done = sender.command("report", "show", "--json", "--day", day, domain, "-c", sender.file)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def counted(report):
    """In the words of the log: {"tlsa:success": 1, "sts:validation-failure:sts-mx-mismatch": 2}"""
    found = collections.Counter()
    for entry in report["policies"]:
        kind = entry["policy"]["policy-type"]
        if entry["summary"]["total-successful-session-count"]:
            found[f"{kind}:success"] += entry["summary"]["total-successful-session-count"]
        for detail in entry.get("failure-details", []):
            reason = detail.get("failure-reason-code", "")
            found[f"{kind}:{detail['result-type']}" + (f":{reason}" if reason else "")] += detail["failed-session-count"]
    return found


def test_every_report_is_valid_against_the_schema_of_the_rfc(sender, day, next_day):
    """TLSRPT-030 to -045"""
    assert len(next_day) > 60
    for domain in next_day:
        report = report_of(sender, day[0], domain)
        jsonschema.validate(report, SCHEMA)
        assert report["date-range"] == {"start-datetime": f"{day[0]}T00:00:00Z", "end-datetime": f"{day[0]}T23:59:59Z"}
        assert report["contact-info"] == "tls@sender.example" and report["organization-name"] == "Sender Example"


# What is reported of a fetch that failed is in the log as another event, and its words as the reason.
FETCHES = re.compile(r"^sts:sts-(policy-fetch-error|webpki-invalid|policy-invalid)")


def test_reports_count_what_the_log_saw(sender, day, next_day):
    """TLSRPT-016 to -018, PD-E01 to -E20: of every session, for each policy that was applied."""
    today, seen = day
    for domain in domains_of_the_lab():
        report = counted(report_of(sender, today, domain)) if domain in next_day else {}
        ours = {words: count for words, count in report.items() if not FETCHES.match(words)}
        assert ours == {words: count
                        for words, count in seen[domain].items()}, domain


def test_every_result_type_was_met(sender, day, next_day):
    met = {words.split(":")[1] for domain in next_day for words in counted(report_of(sender, day[0], domain))}
    assert met >= {"success", "starttls-not-supported", "certificate-host-mismatch", "certificate-expired",
                   "certificate-not-trusted", "validation-failure", "tlsa-invalid", "dnssec-invalid", "dane-required",
                   "sts-policy-fetch-error", "sts-policy-invalid", "sts-webpki-invalid"}


def letters_for(lab, host):
    folder = lab.directory / "mail" / domain_of(host)
    return [Letter(path) for path in sorted(folder.glob("*.eml"), key=lambda p: int(p.stem)) ]


def is_report(letter):
    return letter.message.get_content_type() == "multipart/report"


@pytest.mark.parametrize("host, encrypted, about", [("reports", True, "sts-enforce.lab.example"),
                                                    ("sts-reports", False, "may.lab.example")])
def test_reports_arrive_whatever_tls_does(lab, signing, next_day, host, encrypted, about):
    """TLSRPT-071 to -077: one receiver has TLS, the other refuses it against its own policy."""
    letters = [letter for letter in letters_for(lab, host) if is_report(letter)]
    letter = next(l for l in letters if l.message["TLS-Report-Domain"] == about)
    assert letter.encrypted == encrypted
    message = letter.message
    assert message.get_param("report-type") == "tlsrpt" and message["TLS-Required"] == "No"
    assert message["TLS-Report-Submitter"] == "sender.example"
    assert re.fullmatch(r"Report Domain: \S+\s+Submitter: sender\.example\s+Report-ID: <\S+@\S+>",
                        re.sub(r"\s+", " ", message["Subject"]))
    part = message.get_payload()[1]
    assert part.get_content_type() == "application/tlsrpt+gzip"
    assert re.fullmatch(r"sender\.example!" + re.escape(about) + r"!\d+!\d+(!\w+)?\.json\.gz", part.get_filename())
    report = json.loads(gzip.decompress(part.get_payload(decode=True)))
    jsonschema.validate(report, SCHEMA)
    raw = letter.bytes[letter.bytes.index(b"DKIM-Signature:"):]
    record = f"v=DKIM1; k=ed25519; s=tlsrpt; p={signing[1]}".encode()
    with unittest.mock.patch("time.time", lambda now=time.time(): now + 26 * 3600):     # it was signed tomorrow
        assert dkim.verify(raw, dnsfunc=lambda name, timeout=5: record, tlsrpt="strict"), "TLSRPT-076"


def test_reports_are_not_counted_in_reports(sender, day, next_day):
    """TLSRPT-022"""
    tomorrow = time.strftime("%Y-%m-%d", time.gmtime(time.time() + 25 * 3600))
    listed = sender.command("report", "list", "--day", tomorrow, "--json", "-c", sender.file)
    domains = [json.loads(line)["domain"] for line in listed.stdout.splitlines()]
    assert len(domains) > 5 and "reports.lab.example" not in domains, "mail that waits is tried again, and counted"


def received(partner):
    lines = partner.command("report", "list", "--received", "--json", "-c", partner.file).stdout.splitlines()
    return sorted((json.loads(line) for line in lines), key=lambda row: row["by"])


def test_a_second_postern_reads_each_report_once(sender, partner, day, next_day):
    """TLSRPT-090 to -096. What anybody may post does not stand in the way of what is signed, and gives way to it."""
    tries = {re.match(r"\w+", to["address"])[0]: to for to in next_day[PARTNER]["to"]}
    assert tries["mailto"]["done"] and tries["https"]["done"], next_day[PARTNER]
    eventually(lambda: [(row["by"], row["signed"], row["foreign"]) for row in received(partner)] == [("mail", True, False)],
               20, lambda: f"the signed one is kept: {received(partner)}")
    again = sender.command("report", "send", "--day", day[0], PARTNER, "-c", sender.file)
    assert again.returncode == 0, again.stderr
    eventually(lambda: len(partner.events("report.repeated")) >= 2, 30, lambda: f"they came again: {partner.text()[-3000:]}")
    assert len(received(partner)) == 1
    shown = partner.command("report", "show", "--received", "--json", PARTNER, "-c", partner.file)
    assert json.loads(shown.stdout) == report_of(sender, day[0], PARTNER)
    text = partner.command("report", "show", "--received", PARTNER, "-c", partner.file)
    assert text.returncode == 0 and "Sender Example" in text.stdout and "signed" in text.stdout, text.stderr


def test_stats_and_clients_answer_on_that_day(sender, partner, day, next_day):
    stats = sender.command("stats", "--json", "--since", day[0], "-c", sender.file)
    assert stats.returncode == 0, stats.stderr
    text = sender.command("stats", "--since", day[0], "-c", sender.file)
    assert "dane-ee.lab.example" in text.stdout
    clients = partner.command("clients", "--since", day[0], "--role", "mx", "-c", partner.file)
    assert clients.returncode == 0 and "127.0.0" in clients.stdout, clients.stdout + clients.stderr


def test_every_attempt_is_a_line_of_json(shared_place, sender, day):
    lines = [json.loads(line) for line in (shared_place / "facts.jsonl").read_text().splitlines()]
    assert len([l for l in lines if l["event"] == "delivery.attempt"]) == len(sender.events("delivery.attempt"))


def cpu_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_old_states_are_put_off_when_statistics_are_kept_for_longer(sender, next_day):
    """They were to be forgotten by now. Neither are they looked at again and again, nor in the way of others."""
    assert sender.stop() == 0
    sender.faketime = "+80h"
    sender.sections["facts"]["keep"] = 90
    sender.start()
    report, = sender.workers("report").values()
    time.sleep(8)
    before = cpu_seconds(report)
    time.sleep(4)
    assert cpu_seconds(report) - before < 1, "it has nothing to do"
    assert not sender.events("process.died")
