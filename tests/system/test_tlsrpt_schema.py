"""TLS reports as others read them: the JSON by a schema of RFC 8460, the message by Python's email package.

Neither shares a line with what made them: tests/tlsrpt/report_tool, which is fed with what was counted in a day."""

import base64
import copy
import datetime
import email
import email.policy
import gzip
import json
import random
import re
import subprocess
from pathlib import Path

import jsonschema
import pytest

import harness.postern
from harness.processes import run

SCHEMA = json.loads((Path(__file__).parent / "harness/tlsrpt.schema.json").read_text())
DAY = datetime.date(2026, 11, 21)
BEGIN = int(datetime.datetime(2026, 11, 21, tzinfo=datetime.timezone.utc).timestamp())
STS = "version: STSv1\r\nmode: testing\r\nmx: mx1.example.net\r\nmx: *.mail.example.net\r\nmax_age: 86400\r\n"
# RFC 8460 4.3 and the registry.
RESULTS = SCHEMA["$defs"]["failure"]["properties"]["result-type"]["enum"]


@pytest.fixture(scope="module")
def tool():
    return harness.postern.tool("tests/tlsrpt/report_tool")


def described(policies=(), tallies=(), **members):
    return {"domain": "example.net", "day": DAY.toordinal() - datetime.date(1970, 1, 1).toordinal(),
            "organization": "Example Org", "contact": "tls-reports@example.org", "to": "reports@example.net",
            "policies": list(policies), "tallies": list(tallies), **members}


def sts(domain="example.net", text=STS, mx=("mx1.example.net", "*.mail.example.net")):
    return {"domain": domain, "text": text, "mx": list(mx)}


def tlsa(domain="mx1.example.net", records=((3, 1, 1, "ab" * 32),)):
    return {"domain": domain, "records": [list(r) for r in records]}


def success(count, policy=None):
    return {"policy": policy, "count": count}


def failure(count, result, policy=None, **members):
    return {"policy": policy, "count": count, "result-type": result, "sending-ip": "192.0.2.1",
            "receiving-ip": "2001:db8::25", "mx": "mx1.example.net", "helo": "mx1.example.net", **members}


def unique(pairs):
    """RFC 7493 2.3: no duplicate names."""
    assert len(dict(pairs)) == len(pairs), pairs
    return dict(pairs)


def made(tool, form, day):
    ended = subprocess.run([tool, form], input=json.dumps(day).encode(), capture_output=True, check=False, timeout=60)
    assert ended.returncode == 0, ended.stderr.decode()
    return ended.stdout


def checked(raw):
    report = json.loads(raw.decode("utf-8"), object_pairs_hook=unique)
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.Draft202012Validator(SCHEMA, format_checker=jsonschema.FormatChecker()).validate(report)
    return report


def report_of(tool, day):
    return checked(made(tool, "json", day))


# A day of everything: all results under each policy that can have them.
FULL = described(
    [sts(), tlsa(), tlsa("mx2.example.net", [(2, 0, 1, "00" * 32), (3, 1, 2, "ff" * 64), (3, 0, 0, "30" * 1500), (9, 9, 9, "")]),
     sts(text="version: STSv1\nmode: enforce\n\nmx:mx1.example.net\n  nonsense \nmax_age: 1\n\n\n")],
    [success(5326, 0), success(12, 1), success(1, 3), success(70000)] +
    [failure(n + 1, result, policy, reason="x509-unknown" if policy == 0 else "")
     for n, result in enumerate(RESULTS) for policy in (None, 0, 1, 2, 3)] +
    [failure(3, "sts-policy-fetch-error", **{"mx": "", "helo": "", "sending-ip": "", "receiving-ip": "", "reason": "http-404"})])


def test_the_schema_finds_faults(tool):
    """It would be worth nothing if it took anything."""
    good = report_of(tool, FULL)
    for damage in (lambda r: r.pop("report-id"), lambda r: r.update(policies={}), lambda r: r.update(extra=1),
                   lambda r: r["date-range"].update({"start-datetime": "2026-11-21T00:00:00+00:00"}),
                   lambda r: r["policies"][0]["policy"].update({"policy-type": "dane"}),
                   lambda r: r["policies"][0]["policy"].pop("policy-domain"),
                   lambda r: r["policies"][0]["policy"].update({"policy-string": "3 1 1 00"}),
                   lambda r: r["policies"][2]["policy"].update({"mx-host": "mx1.example.net"}),
                   lambda r: r["policies"][0]["summary"].update({"total-failure-session-count": -1}),
                   lambda r: r["policies"][0]["summary"].update({"total-successful-session-count": "1"}),
                   lambda r: r["policies"][0]["failure-details"][0].update({"failed-session-count": 0}),
                   lambda r: r["policies"][0]["failure-details"][0].update({"result-type": "certificate"}),
                   lambda r: r["policies"][0]["failure-details"][0].update({"receiving-ip": "192.0.2.01"}),
                   lambda r: r["policies"][-1]["policy"].update({"policy-string": []})):
        bad = copy.deepcopy(good)
        damage(bad)
        with pytest.raises(jsonschema.ValidationError):
            checked(json.dumps(bad).encode())


def test_a_day_of_everything_is_valid(tool):
    """TLSRPT-018, TLSRPT-030 to -045, TLSRPT-050 to -060."""
    report = report_of(tool, FULL)
    assert report["organization-name"] == "Example Org" and report["contact-info"] == "tls-reports@example.org"
    assert report["date-range"] == {"start-datetime": "2026-11-21T00:00:00Z", "end-datetime": "2026-11-21T23:59:59Z"}
    kinds = [(e["policy"]["policy-type"], e["policy"]["policy-domain"]) for e in report["policies"]]
    assert kinds == [("tlsa", "mx1.example.net"), ("tlsa", "mx2.example.net"), ("sts", "example.net"), ("sts", "example.net"),
                     ("no-policy-found", "example.net")]
    for entry in report["policies"]:
        assert {d["result-type"] for d in entry["failure-details"]} == set(RESULTS)
        counts = [d["failed-session-count"] for d in entry["failure-details"]]
        assert sum(counts) == entry["summary"]["total-failure-session-count"]
        assert counts == sorted(counts, reverse=True)
    assert {e["summary"]["total-successful-session-count"] for e in report["policies"]} == {5326, 12, 0, 1, 70000}


def test_policies_are_quoted_as_published(tool):
    """TLSRPT-035, -037."""
    entries = report_of(tool, FULL)["policies"]
    assert entries[0]["policy"]["policy-string"] == ["3 1 1 " + "ab" * 32]
    assert sorted(entries[1]["policy"]["policy-string"]) == sorted(
        ["2 0 1 " + "00" * 32, "3 1 2 " + "ff" * 64, "3 0 0 " + "30" * 1500, "9 9 9"])
    quoted = [e["policy"]["policy-string"] for e in entries[2:4]]
    assert STS.split("\r\n")[:-1] in quoted
    assert ["version: STSv1", "mode: enforce", "", "mx:mx1.example.net", "  nonsense ", "max_age: 1"] in quoted
    assert entries[2]["policy"]["mx-host"] == ["mx1.example.net", "*.mail.example.net"]


def test_what_had_no_connection_names_no_host(tool):
    """TLSRPT-040, -041."""
    none = report_of(tool, FULL)["policies"][-1]
    bare = [d for d in none["failure-details"] if d.get("failure-reason-code") == "http-404"]
    assert bare == [{"result-type": "sts-policy-fetch-error", "failed-session-count": 3, "failure-reason-code": "http-404"}]


def test_a_policy_that_nobody_could_get_has_no_text(tool):
    """ST-06: nothing was fetched. TLSRPT-056: no TLSA records came."""
    day = described([sts(text="", mx=()), tlsa(records=())],
                    [failure(1, "sts-webpki-invalid", 0, **{"mx": "", "helo": "", "sending-ip": "", "receiving-ip": ""}),
                     failure(2, "dnssec-invalid", 1)])
    policies = [e["policy"] for e in report_of(tool, day)["policies"]]
    assert policies == [{"policy-type": "tlsa", "policy-domain": "mx1.example.net"},
                        {"policy-type": "sts", "policy-domain": "example.net"}]


def test_a_quiet_day_is_a_heartbeat(tool):
    """TLSRPT-024."""
    day = described([], [success(3)])
    report = report_of(tool, day)
    assert report["policies"] == [{"policy": {"policy-type": "no-policy-found", "policy-domain": "example.net"},
                                   "summary": {"total-successful-session-count": 3, "total-failure-session-count": 0}}]
    for nothing in (described(), described([], [success(3)], **{"failures-only": True})):
        ended = run([tool, "json"], input=json.dumps(nothing))
        assert ended.returncode == 3 and ended.stdout == "" and "E_NOT_FOUND" in ended.stderr


def test_floods_stay_within_bounds(tool):
    """TLSRPT-020: the schema allows 1000 kinds for each policy."""
    names = [f"mx{n}.example.net" for n in range(2500)]
    random.Random(1).shuffle(names)
    day = described([sts()], [failure(n % 7 + 1, "certificate-expired", 0, mx=name) for n, name in enumerate(names)])
    entry = report_of(tool, day)["policies"][0]
    details = entry["failure-details"]
    assert len(details) == 1000
    assert sum(d["failed-session-count"] for d in details) == sum(n % 7 + 1 for n in range(2500))
    rest = [d for d in details if d.get("failure-reason-code") == "truncated"]
    assert len(rest) == 1 and rest[0]["result-type"] == "validation-failure" and set(rest[0]) == {
        "result-type", "failed-session-count", "failure-reason-code"}


HOSTILE = "\"}]}\r\n--=_\x00\x1b[31m<script>\u202e\ud7ff" + "x" * 400


def test_words_of_strangers_make_valid_reports(tool):
    """TLSRPT-093, the other way round: nobody can make us send nonsense."""
    day = described([sts(text="version: STSv1\n" + HOSTILE + "\n\udcff\n".encode("utf-8", "replace").decode())],
                    [failure(2, "validation-failure", 0, helo=HOSTILE, mx=HOSTILE, reason=HOSTILE)],
                    organization="Société d'Exemple \U0001f512")
    report = report_of(tool, day)
    assert report["organization-name"] == "Société d'Exemple \U0001f512"
    helo = report["policies"][0]["failure-details"][0]["receiving-mx-helo"]
    assert len(helo) <= 255 and helo.isascii() and helo.isprintable()


def test_reports_are_the_same_when_made_again(tool):
    """TLSRPT-033: whatever the order in which the day was counted."""
    other = copy.deepcopy(FULL)
    random.Random(2).shuffle(other["tallies"])
    assert made(tool, "mail", FULL) == made(tool, "mail", other)
    ids = {report_of(tool, day)["report-id"] for day in
           (FULL, {**FULL, "day": FULL["day"] + 1}, {**FULL, "domain": "example.com"}, {**FULL, "organization": "Other"})}
    assert len(ids) == 4


def test_both_forms_say_the_same(tool):
    compact, pretty = made(tool, "json", FULL), made(tool, "pretty", FULL)
    assert json.loads(compact) == json.loads(pretty)
    assert compact.count(b"\n") == 0 and pretty.count(b"\n") > 50


# --- the message ---------------------------------------------------------------------------


def message_of(tool, day):
    raw = made(tool, "mail", day)
    lines = raw.split(b"\r\n")
    assert lines[-1] == b"" and all(b"\r" not in line and b"\n" not in line for line in lines)
    assert max(map(len, lines)) <= 998 and raw.isascii()
    message = email.message_from_bytes(raw, policy=email.policy.default)
    parts = list(message.walk())
    assert not [defect for part in parts for defect in part.defects]
    assert not [defect for part in parts for name in part for defect in part[name].defects]
    return message


def report_in(message):
    part = list(message.iter_parts())[1]
    return checked(gzip.decompress(part.get_content()))


MAILS = {
    "full": FULL,
    "hostile": described([sts(text=HOSTILE)], [failure(2, "validation-failure", 0, helo=HOSTILE, mx=HOSTILE, reason=HOSTILE)]),
    "long names": described([], [success(1)], domain=".".join(["a" * 60] * 4), contact="tls@" + ".".join(["b" * 60] * 4),
                            to="c" * 200 + "@" + ".".join(["d" * 60] * 4)),
    "idn": described([], [success(1)], domain="xn--bcher-kva.example", to="\"a, b\"@example.net"),
}


@pytest.mark.parametrize("day", MAILS.values(), ids=MAILS.keys())
def test_the_message_is_as_the_rfc_says(tool, day):
    """TLSRPT-071 to -075, -077."""
    message, domain = message_of(tool, day), day["domain"]
    submitter = day["contact"].rpartition("@")[2]
    report = report_in(message)
    assert report == report_of(tool, day)

    assert [a.addr_spec for a in message["From"].addresses] == [day["contact"]] == [report["contact-info"]]
    assert [a.addr_spec for a in message["To"].addresses] == [day["to"]]
    assert message["TLS-Report-Domain"] == domain and message["TLS-Report-Submitter"] == submitter
    assert message["TLS-Required"] == "No" and message["Auto-Submitted"] == "auto-generated"
    assert message["MIME-Version"] == "1.0" and message["Date"].datetime.timestamp() > BEGIN
    assert re.fullmatch(r"<[\w.-]+@[\w.-]+>", message["Message-ID"])
    assert re.fullmatch(rf"Report Domain:\s+{re.escape(domain)}\s+Submitter:\s+{re.escape(submitter)}\s+"
                        rf"Report-ID:\s+<{re.escape(report['report-id'])}>", message["Subject"])
    for name in message.keys():
        assert len(message.get_all(name)) == 1, name

    assert message.get_content_type() == "multipart/report" and message.get_param("report-type") == "tlsrpt"
    text, attachment = message.iter_parts()
    assert text.get_content_type() == "text/plain" and text.get_content_charset() == "us-ascii"
    assert domain in text.get_content() and str(DAY) in text.get_content() and day["contact"] in text.get_content()
    assert attachment.get_content_type() == "application/tlsrpt+gzip" and attachment.is_attachment()
    assert attachment["Content-Transfer-Encoding"] == "base64"
    name = attachment.get_filename()
    assert name == attachment.get_param("name") == f"{submitter}!{domain}!{BEGIN}!{BEGIN + 86399}!001.json.gz"
    encoded = attachment.get_payload().split()
    assert all(len(line) == 76 for line in encoded[:-1]) and base64.b64decode("".join(encoded), validate=True)[:2] == b"\x1f\x8b"


def test_people_can_read_the_message(tool):
    text = next(message_of(tool, FULL).iter_parts()).get_content()
    assert max(map(len, text.splitlines())) <= 78
    assert "Policy tlsa of mx1.example.net" in text and "5326 sessions were encrypted as it asks" in text
    for result in ("sts-webpki-invalid", "because of x509-unknown", "at mx1.example.net 2001:db8::25"):
        assert result in text
    assert "more kinds of failure" in text


def test_nobody_gets_into_the_structure(tool):
    message = message_of(tool, MAILS["hostile"])
    assert len(list(message.iter_parts())) == 2
    assert "\x1b" not in next(message.iter_parts()).get_content()
