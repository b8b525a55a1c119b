"""`postern report` at the desk: which days it takes, what it refuses, what it says of nothing, and files in and out."""

import gzip
import json
import re
import struct
import time

import pytest

from harness import tallies
from harness.postern import Postern
from harness.processes import eventually
from harness.tallies import TODAY, date, visit


def session(domain, count=1, ago=1, failure=""):
    """What TLS reports count (tlsrpt/tally.h): a session under no policy, or one that failed."""
    key = bytes([5]) + domain.encode() + b"\0" + struct.pack(">Q", 1)
    if failure:
        key += failure.encode() + b"\0" + b"192.0.2.1\0" + b"192.0.2.9\0" + b"mx.example\0\0\0"
    return {"kind": "raw", "key": key.hex(), "count": count, "ago": ago}


DAYS = [session("example.net", 7), session("example.net", 2, failure="starttls-not-supported"), session("example.com", 3),
        session("today.example", 1, ago=0), session("example.net", 4, ago=0), session("old.example", 1, ago=9)]


def instance(place, certificate, rows, **sections):
    made = Postern(place, None, certificate)
    made.sections = {"tls-report": {"contact": "tls@example.org"}, **sections}
    return tallies.fill(made, rows)


@pytest.fixture(scope="module")
def gate(shared_place, our_certificate):
    return instance(shared_place / "gate", our_certificate, DAYS)


@pytest.fixture(scope="module")
def idle(shared_place, our_certificate):
    return instance(shared_place / "idle", our_certificate, [])


def report(gate, *arguments, code=0):
    ended = gate.command("report", *arguments, "-c", gate.file)
    assert ended.returncode == code, f"{ended.returncode}: {ended.stdout}{ended.stderr}"
    return ended.stdout if code == 0 else ended.stdout + ended.stderr


# --- days ---------------------------------------------------------------------


def test_a_day_that_is_not_over_is_not_sent(gate):
    """TLSRPT-031: a report covers the whole day; one sent at noon would lack the afternoon for good."""
    said = report(gate, "send", "--day", date(TODAY), "example.net", code=64)
    assert f"{date(TODAY)} is not over (UTC)" in said and f"postern report show --day {date(TODAY)}" in said
    assert "not over" in report(gate, "send", "--day", "today", "--all", code=64)
    assert "has not begun" in report(gate, "send", "--day", date(TODAY + 3), "example.net", code=64)
    assert "policies" in report(gate, "send", "--dry-run", "--day", "today", "example.net")
    assert json.loads(report(gate, "list", "--day", "today", "--json").splitlines()[0])["stage"] == "day-not-over"


def test_what_was_not_counted_is_not_sent(gate):
    nothing = f"nothing was counted on {date(TODAY - 1)} for nowhere.example"
    assert nothing in report(gate, "send", "nowhere.example", code=1)
    assert nothing in report(gate, "send", "--dry-run", "nowhere.example", code=1)
    assert f"nothing was counted on {date(TODAY - 3)}" in report(gate, "send", "--all", "--day", "3d", code=1)
    assert "waiting" not in report(gate, "list")


def test_what_is_due_says_where_to_look(shared_place, our_certificate):
    gate = instance(shared_place / "sending", our_certificate, DAYS)
    said = report(gate, "send", "Example.NET.")
    assert f"{date(TODAY - 1)}/example.net: due now" in said and f"postern report list --day {date(TODAY - 1)}" in said
    stages = [json.loads(line) for line in report(gate, "list", "--json").splitlines()]
    assert {row["domain"]: row["stage"] for row in stages} == {"example.com": "unplanned", "example.net": "waiting"}


@pytest.mark.parametrize("day, ago", [("yesterday", 1), ("today", 0), ("1d", 1), ("9d", 9), (date(TODAY - 1), 1)])
def test_a_day_may_be_said_in_words(gate, day, ago):
    assert f"report of {date(TODAY - ago)}" in report(gate, "list", "--day", day)


def test_a_day_that_is_not_over_is_listed_as_that(gate):
    said = report(gate, "list", "--day", "today")
    assert "day not over" in said and "unplanned" not in said
    assert "unplanned" in report(gate, "list")


def test_a_day_without_counts_points_to_the_one_that_has_some(gate):
    said = report(gate, "list", "--day", "3d", code=1)
    assert "sessions" not in said and f"({date(TODAY)}, which is not over, has 2 domains: --day {date(TODAY)})" in said
    assert f"has it: --day {date(TODAY)}" in report(gate, "list", "today.example", code=1)
    assert "which is not over" not in report(gate, "list", "nowhere.example", code=1)


def test_domains_are_folded(gate):
    assert "example.net" in report(gate, "list", "EXAMPLE.net.") and "9" in report(gate, "show", "Example.Net.")
    assert json.loads(report(gate, "show", "--json", "eXample.com."))["policies"][0]["policy"]["policy-domain"] == "example.com"


@pytest.mark.parametrize("arguments, complaint", [
    (["list", "--day"], "--day needs a"), (["list", "--loud"], "--loud is not known"), (["list", "-x"], "-x is not known"),
    (["list", "--day", "soon"], "--day soon"), (["show"], "needs a domain"), (["send"], "--all"),
    (["list", "--to", "x"], "does not take --to")])
def test_wrong_arguments_are_told(gate, arguments, complaint):
    ended = gate.command("report", *arguments)
    assert ended.returncode == 64 and complaint in ended.stderr, ended.stderr


def test_an_option_is_not_taken_for_the_day(gate):
    assert "--day needs a" in report(gate, "list", "--day", code=64)     # "-c" follows it


# --- a store that cannot be asked -----------------------------------------------


@pytest.mark.parametrize("command", [["report", "list"], ["stats"], ["clients"]])
def test_what_does_not_pass_by_itself_is_no_temporary_failure(shared_place, command):
    never = Postern(shared_place / "never", None, None)
    never.file.write_text(never.configuration())
    ended = never.command(*command, "-c", never.file)
    assert ended.returncode == 1 and "nothing has run with this data-directory yet" in ended.stderr, ended.stderr


# --- those of others ----------------------------------------------------------------


def foreign_report(number, sender, domain, day, good=5, failed=0, address="192.0.2.50"):
    begin = date(TODAY - day)
    details = [{"result-type": "certificate-expired", "sending-mta-ip": address, "receiving-mx-hostname": "mx.example.org",
                "failed-session-count": failed}]
    return {"organization-name": sender, "contact-info": f"tls@{sender}", "report-id": f"{number}@{sender}",
            "date-range": {"start-datetime": f"{begin}T00:00:00Z", "end-datetime": f"{begin}T23:59:59Z"},
            "policies": [{"policy": {"policy-type": "no-policy-found", "policy-domain": domain},
                          "summary": {"total-successful-session-count": good, "total-failure-session-count": failed},
                          **({"failure-details": details} if failed else {})}]}


REPORTS = [foreign_report(1, "zebra.example", "example.org", 1, 10), foreign_report(2, "ant.example", "example.org", 1, 3, 2),
           foreign_report(3, "zebra.example", "example.org", 2, 1), foreign_report(4, "ant.example", "else.example", 3)]


@pytest.fixture(scope="module")
def reader(shared_place, our_certificate):
    """Reports came by hand, from a folder; the client that they tell of was here as well."""
    folder = shared_place / "reports"
    folder.mkdir()
    for number, one in enumerate(REPORTS):
        text = json.dumps(one).encode()
        if number % 2:
            (folder / f"{number}.json.gz").write_bytes(gzip.compress(text))
        else:
            (folder / f"{number}.json").write_bytes(text)
    (folder / "notes.txt").write_text("not a report")
    made = instance(shared_place / "reader", our_certificate, [
        visit("192.0.2.50", 1, tls="", name="a", end="handshake-failed", problem="certificate expired", ago=1),
        visit("192.0.2.50", 2, name="b", ago=1), visit("192.0.2.50", 3, name="c", ago=1), visit("192.0.2.51", 9, ago=1)])
    said = report(made, "import", str(folder))
    assert "4 reports taken, 1 of them put aside" in said and "refused" not in said
    return made


def test_received_reports_are_listed_by_day_and_sender(reader):
    lines = report(reader, "list", "--received").splitlines()
    assert lines[0].split() == ["day", "from", "about", "sessions", "failed", "came"]
    rows = [line.split() for line in lines[1:-1] if not line.startswith(" ")]
    assert [(row[0], row[1], row[2]) for row in rows] == [
        (date(TODAY - 3), "ant.example", "else.example"), (date(TODAY - 2), "zebra.example", "example.org"),
        (date(TODAY - 1), "ant.example", "example.org"), (date(TODAY - 1), "zebra.example", "example.org")]
    assert rows[2][3:] == ["5", "2", "hand", "unsigned"]
    assert lines[-1] == "4 reports: 21 sessions, 2 failed; 4 unsigned"
    assert max(len(line) for line in lines) <= 80


def test_received_reports_are_shown_without_a_name(reader):
    said = report(reader, "show", "--received")
    assert said.count("\n\n") == 3 and all(f"{number}@" in said for number in (1, 2, 3, 4))
    assert "no event is raised" in said and "bell" not in said
    one = report(reader, "show", "--received", "--day", "yesterday", "ANT.example.")
    assert "zebra" not in one
    lines = one.splitlines()
    count = next(line for line in lines if "certificate-expired" in line)
    detail = next(line for line in lines if "mx.example.org" in line)
    assert len(detail) - len(detail.lstrip()) == count.index("certificate-expired")


def test_what_we_know_is_summed(reader):
    said = report(reader, "show", "--received", "--day", "1d", "ant.example")
    assert "5 messages came from 192.0.2.50 by TLSv1.3" in said
    assert "1 handshake with 192.0.2.50 failed here: certificate expired" in said
    assert said.count("192.0.2.50 by") == 1 and "192.0.2.51" not in said


def test_nothing_received_has_no_header(idle):
    assert "no report has been received" in report(idle, "list", "--received", code=1)
    assert "from" not in report(idle, "list", "--received", code=1).replace("postern:", "")


def test_what_is_exported_can_be_imported(gate, idle, shared_place):
    folder = shared_place / "out"
    folder.mkdir()
    folder.chmod(0o777)
    report(gate, "export", "--to", str(folder))
    assert len(list(folder.glob("*.json*"))) == 2
    assert report(gate, "export", "--to", str(folder)).count("is there already") == 2
    assert "2 reports taken" in report(idle, "import", str(folder))


def test_a_folder_to_export_to_is_made(gate, shared_place):
    folder = shared_place / "not there yet"
    report(gate, "export", "--to", str(folder))
    assert len(list(folder.iterdir())) == 2
    assert "cannot be made" in report(gate, "export", "--to", str(shared_place / "a" / "b"), code=1)


def test_a_folder_without_reports_is_told(idle, shared_place):
    folder = shared_place / "bare"
    folder.mkdir()
    (folder / "notes.txt").write_text("x")
    assert "neither new nor cur" in report(idle, "import", str(folder), code=1)
    (folder / "broken.json").write_text("{")
    assert "broken.json" in report(idle, "import", str(folder), code=1)


def test_what_others_saw_stands_beside_what_we_know(place, postern, authority):
    """Issue and answer on one page: they saw an expired certificate, and that is when ours changed."""
    today = time.strftime("%Y-%m-%d", time.gmtime())
    postern.start()
    eventually(lambda: postern.events("tls.certificate"), 10, "the first certificate is known")
    postern.certificates["default"] = authority.issue("mx.example.org")
    postern.file.write_text(postern.configuration())
    postern.reload()
    eventually(lambda: len(postern.events("tls.certificate")) == 2, 15, "the second is")
    report = {"organization-name": "Big Mail", "contact-info": "tls@bigmail.example", "report-id": "1@bigmail.example",
              "date-range": {"start-datetime": f"{today}T00:00:00Z", "end-datetime": f"{today}T23:59:59Z"},
              "policies": [{"policy": {"policy-type": "no-policy-found", "policy-domain": "example.org"},
                            "summary": {"total-successful-session-count": 3, "total-failure-session-count": 12},
                            "failure-details": [{"result-type": "certificate-expired", "failed-session-count": 12,
                                                 "receiving-mx-hostname": "mx.example.org", "sending-mta-ip": "127.0.0.1"}]}]}
    file = place / "report.json"
    file.write_text(json.dumps(report))
    taken = postern.command("report", "import", file, "-c", postern.file)
    assert taken.returncode == 0, taken.stdout + taken.stderr
    shown = postern.command("report", "show", "--received", "example.org", "-c", postern.file)
    assert shown.returncode == 0, shown.stderr
    assert "certificate-expired" in shown.stdout and "12" in shown.stdout
    assert re.search(rf"our certificate for mx\.example\.org changed at {today}T[\d:]+Z, and its key with it", shown.stdout), \
        shown.stdout
