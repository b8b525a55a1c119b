"""`postern stats`: what it says of days that are over, to people, programs, spreadsheets and boards."""

import csv
import html.parser
import io
import json
import re

import pytest

from harness import tallies
from harness.mail import letter
from harness.postern import Postern
from harness.processes import eventually
from harness.tallies import TODAY, date, in_clear, received, under_tls

EVIL = "<script>alert('x')</script>\x1b[31m.example"
FORMULA = "=HYPERLINK(\"http://evil.example\")"

DAYS = [
    under_tls("example.net", 600, policy="dane", dane="match", group="X25519MLKEM768"),
    under_tls("example.net", 200, policy="dane", dane="match", ago=1),
    under_tls("example.com", 90, policy="mta-sts", ago=6),
    under_tls("school.example", 60, trust="untrusted", **{"self-signed": True, "trust-problem": "self-signed certificate"}),
    under_tls("old.example", 20, tls="1.2", group="P-256", trust="expired", **{"trust-problem": "certificate has expired"}),
    in_clear("clear.example", 28),
    in_clear("clear.example", 2, ago=2, **{"starttls-missing": False, "tls-problem": "E_TLS_HANDSHAKE"}),
    {"kind": "sent", "next-hop": "clear.example", "host": "mx", "how": "E_CONNECT", "count": 7},
    under_tls("wrong.example", 3, policy="dane", dane="no-match", trust="untrusted", how="E_DANE_MISMATCH"),
    under_tls(EVIL, 1), under_tls(FORMULA, 1),
    in_clear("example.net", 100, ago=7), under_tls("example.net", 300, ago=13),     # the period before
    in_clear("example.net", 1000, ago=14),                                          # before that
    received("example.net", 40), received("example.net", 10, tls=""), received("", 5, tls="1.2", group="P-256"),
    received("x", 25, tls="1.2", rest=True),
    {"kind": "raw", "key": "010000", "count": 5}, {"kind": "raw", "key": "09aabb", "count": 5},
]


@pytest.fixture(scope="module")
def gate(shared_place, our_certificate):
    return tallies.fill(Postern(shared_place / "gate", None, our_certificate), DAYS)


def stats(gate, *arguments, code=0):
    ended = gate.command("stats", "-c", gate.file, *arguments)
    assert ended.returncode == code, f"{ended.returncode}: {ended.stdout}{ended.stderr}"
    return ended.stdout


def told(gate, *arguments):
    return json.loads(stats(gate, "--json", *arguments))


def rows(gate, *arguments):
    return list(csv.DictReader(io.StringIO(stats(gate, "--csv", *arguments))))


def test_every_number_is_exact(gate):
    said = told(gate)
    assert (said["since"], said["until"], said["days"]) == (date(TODAY - 6), date(TODAY), 7)
    assert said["counted-since"] == date(TODAY - 13)
    sent = said["sent"]
    assert (sent["messages"], sent["encrypted"], sent["encrypted-percent"]) == (1002, 972, 97.0)
    assert (sent["authenticated"], sent["authenticated-percent"]) == (892, 89.0)
    assert sent["authenticated-by"] == {"dane": 800, "mta-sts": 90, "operator": 0, "pkix": 2}
    assert sent["versions"] == {"in-clear": 30, "TLSv1.0": 0, "TLSv1.1": 0, "TLSv1.2": 20, "TLSv1.3": 952}
    assert sent["key-exchange"] == [{"group": "X25519MLKEM768", "messages": 600, "post-quantum": True},
                                    {"group": "X25519", "messages": 352, "post-quantum": False},
                                    {"group": "P-256", "messages": 20, "post-quantum": False}]
    assert sent["post-quantum"] == 600
    assert sent["before"] == {"messages": 400, "encrypted": 300, "encrypted-percent": 75.0, "authenticated": 300,
                              "authenticated-percent": 75.0}
    received_mail = said["received"]
    assert (received_mail["messages"], received_mail["encrypted"], received_mail["domains"]) == (80, 70, 2)
    assert "authenticated" not in received_mail


def test_reasons_are_told_with_their_shares(gate):
    sent = told(gate, "--sent")["sent"]
    assert [(r["reason"], r["messages"], r["percent"]) for r in sent["in-clear"]] == [
        ("starttls-not-offered", 28, 93.3), ("handshake-failed", 2, 6.7)]
    assert [(r["code"], r["attempts"], r["percent"]) for r in sent["failures"]] == [
        ("E_CONNECT", 7, 70.0), ("E_DANE_MISMATCH", 3, 30.0)]
    assert (sent["handshakes"], sent["certificates-valid"]) == (975, 892)
    assert [(r["reason"], r["handshakes"], r["percent"]) for r in sent["certificate-faults"]] == [
        ("self-signed", 60, 72.3), ("expired", 20, 24.1), ("dane-mismatch", 3, 3.6)]


def test_domains_come_by_messages(gate):
    sent = told(gate)["sent"]["by-domain"]
    assert [r["domain"] for r in sent[:5]] == ["example.net", "example.com", "school.example", "clear.example", "old.example"]
    assert sent[0]["before"]["encrypted-percent"] == 75.0 and sent[3]["failed-attempts"] == 7
    others = told(gate, "--received")["received"]["by-domain"]
    assert [(r["kind"], r.get("domain"), r["messages"]) for r in others] == [
        ("domain", "example.net", 50), ("domain", "", 5), ("others", None, 25)]


def test_days_are_told(gate):
    days = told(gate, "--sent", "--by", "day")["sent"]
    assert "by-domain" not in days
    assert [d["messages"] for d in days["by-day"]] == [90, 0, 0, 0, 2, 200, 710]
    assert days["by-day"][0] == {"day": date(TODAY - 6), "messages": 90, "encrypted": 90, "encrypted-percent": 100.0,
                                 "authenticated": 90, "authenticated-percent": 100.0}
    assert days["by-day"][1]["encrypted-percent"] is None


@pytest.mark.parametrize("arguments, messages", [
    (["--since", "1d"], 710), (["--since", "2d", "--until", "1d"], 202), (["--since", date(TODAY - 1)], 910),
    (["--since", "30d"], 2402), (["--since", "2w"], 1402), (["--until", date(TODAY - 7), "--since", "1d"], 100),
    (["--domain", "Example.NET"], 800), (["--domain", "nowhere.example"], 0)])
def test_the_question_may_be_narrowed(gate, arguments, messages):
    assert told(gate, "--sent", *arguments)["sent"]["messages"] == messages


def test_what_is_not_among_the_top_is_one_row(gate):
    sent = told(gate, "--sent", "--top", "2")["sent"]["by-domain"]
    assert [r["kind"] for r in sent] == ["domain", "domain", "more"]
    assert sent[2]["domains"] == 6 and sent[2]["messages"] == 112


def test_nothing_rarer_than_the_minimum_is_told(gate):
    said = told(gate, "--minimum", "50", "--sent")
    assert said["minimum"] == 50
    sent = said["sent"]
    assert [r.get("domain") for r in sent["by-domain"]] == ["example.net", "example.com", "school.example", None]
    assert sent["by-domain"][3]["kind"] == "fewer" and sent["by-domain"][3]["messages"] == 52
    assert [d["messages"] for d in sent["by-day"]] == [90, 0, 0, 0, None, 200, 710]
    assert [r["reason"] for r in sent["certificate-faults"]] == ["self-signed", "(fewer)"]
    assert told(gate, "--minimum", "50", "--sent", "--domain", "old.example")["sent"] == {"messages": None}
    for shape in ("--json", "--csv", "--html"):
        text = stats(gate, "--minimum", "50", shape)
        assert "old.example" not in text and "clear.example" not in text
        assert "(fewer than 50)" in text
    assert "(fewer than 50)" in stats(gate, "--minimum", "50") and "rare" not in stats(gate, "--minimum", "50")


def test_a_terminal_sees_it_at_a_glance(gate):
    said = stats(gate)
    for words in ("1,002 messages to 7 domains", "97.0 %", "+22.0 since the 7 days before", "DANE 79.8 %", "MTA-STS 9.0 %",
                  "X25519MLKEM768 61.7 %", "61.7 % of what is encrypted withstands a quantum computer", "self-signed",
                  "no connection to the host", "(null sender)", "(others)", "STARTTLS not offered"):
        assert words in said, words
    assert "\033" not in said and "\\x1b[31m" in said
    assert max(len(line) for line in said.splitlines()) <= 80
    assert not any(line != line.rstrip() for line in said.splitlines())


def test_a_spreadsheet_gets_counts_and_no_formulas(gate):
    table = {(r["direction"], r["domain"]): r for r in rows(gate)}
    net = table["sent", "example.net"]
    assert (net["messages"], net["dane"], net["post-quantum"], net["messages-before"]) == ("800", "800", "600", "400")
    assert table["sent", "clear.example"]["failed-attempts"] == "7"
    assert table["received", "example.net"]["authenticated"] == ""
    assert all(r["domain"][0] not in "=+-@" for r in table.values())
    assert ("sent", "'" + FORMULA) in table
    assert "\033" not in stats(gate, "--csv")
    days = rows(gate, "--by", "day")
    assert len(days) == 14 and days[6] == {"direction": "sent", "day": date(TODAY), "messages": "710", "encrypted": "682",
                                           "authenticated": "602"}


def test_domains_with_nothing_but_failures_say_so(gate):
    said = stats(gate, "--sent")
    assert "1,002 messages to 7 domains; 1 more with failed attempts only" in said
    table = {line.split()[0]: line.split()[-1] for line in said.splitlines() if ".example" in line}
    assert "FAILED" in said and (table["wrong.example"], table["clear.example"], table["old.example"]) == ("3", "7", "-")
    assert "no message; 1 domain with failed attempts only" in stats(gate, "--sent", "--domain", "wrong.example")
    assert "FAILED" not in stats(gate, "--received")


def test_one_day_before_is_not_days(gate):
    assert "since the day before" in stats(gate, "--since", "1d")
    assert "points since the day before" in stats(gate, "--since", "1d", "--html")


def test_a_chart_needs_three_days(gate):
    assert "by day" in stats(gate) and 'class="days"' in stats(gate, "--html")
    for shape in ([], ["--html"]):
        said = stats(gate, "--since", "2d", "--sent", *shape).lower()
        assert "by day" not in said and 'class="days"' not in said


def test_a_domain_is_folded(gate):
    assert told(gate, "--domain", "EXAMPLE.net.")["sent"]["messages"] == 800
    assert told(gate, "--domain", "EXAMPLE.net.")["domain"] == "example.net"


class Page(html.parser.HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.links, self.said = [], [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag not in ("meta", "rect", "line"):
            self.open.append(tag)
        self.links += [value for name, value in attrs if name in ("href", "src", "xlink:href") or name.startswith("on")]

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)

    def handle_endtag(self, tag):
        assert self.open and self.open.pop() == tag

    def handle_data(self, data):
        self.said += data


@pytest.mark.parametrize("arguments", [[], ["--by", "day"], ["--since", "90d"], ["--domain", EVIL], ["--minimum", "50"],
                                       ["--domain", "nowhere.example"]])
def test_the_page_is_whole_and_does_nothing(gate, arguments):
    text = stats(gate, "--html", *arguments)
    page = Page(text)
    assert not page.open and not page.links and "script" not in page.tags
    assert "prefers-color-scheme:dark" in text and "@media print" in text
    acting = "".join(re.findall(r"<style>.*?</style>|<[^>]*>", text, re.DOTALL))
    assert not re.search(r"//|url\(|@import", acting)
    assert "\033" not in text and "<script>alert" not in text


def test_the_page_tells_what_the_table_tells(gate):
    page = Page(stats(gate, "--html"))
    for words in ("mx.example.org", "97.0 %", "89.0 %", "example.net", "(null sender)", "self-signed", "X25519MLKEM768",
                  "<script>alert('x')</script>\\x1b[31m.example"):
        assert words in page.said, words
    assert page.tags.count("svg") > 10


def test_nothing_counted_is_said(shared_place, our_certificate):
    empty = tallies.fill(Postern(shared_place / "empty", None, our_certificate), [])
    assert stats(empty).count("nothing is counted") == 2
    said = told(empty)
    assert said["counted-since"] is None and said["sent"]["messages"] == 0 and said["sent"]["encrypted-percent"] is None
    assert "Nothing is counted." in stats(empty, "--html") and len(rows(empty)) == 0


def test_numbers_too_large_stay_where_they_are(shared_place, our_certificate):
    most = 2**63 - 1
    much = tallies.fill(Postern(shared_place / "much", None, our_certificate),
                        [under_tls("a.example", most), under_tls("a.example", most, ago=1), in_clear("b.example", most)])
    said = told(much)["sent"]
    assert said["messages"] == most and said["encrypted"] == most
    assert "9.2E" in stats(much) and "9,223,372,036,854,775,807" in stats(much, "--html")


@pytest.mark.parametrize("arguments, complaint", [
    (["--since", "yesterday"], "yesterday"), (["--since", "2026-02-30"], "2026-02-30"), (["--until", "x"], "--until x"),
    (["--by", "hour"], "--by hour"), (["--top", "many"], "--top many"), (["--minimum", "-1"], "--minimum -1"),
    (["--json", "--csv"], "is enough"), (["--loud"], "--loud is not known"), (["--since"], "--since needs a value"),
    (["--since", "5000d"], "at most 3660d"), (["example.net"], "--domain"),
    (["--since", date(TODAY + 1)], "later")])
def test_wrong_arguments_are_told(gate, arguments, complaint):
    ended = gate.command("stats", "-c", gate.file, *arguments)
    assert ended.returncode == 64 and complaint in ended.stderr, ended.stderr


def test_what_was_sent_a_moment_ago_is_told_by_the_running_postern(new_postern, sink):
    gate = new_postern("running")
    gate.relay_to(sink)
    gate.start()
    gate.hand_in(letter())
    sink.wait(1)

    def sent():
        row = next(iter(told(gate, "--sent")["sent"]["by-domain"]), None)
        return row if row and row["messages"] else None
    row = eventually(sent, 15, "it is counted", every=0.5)
    assert (row["messages"], row["encrypted"]) == (1, 1) and row["versions"]["TLSv1.3"] == 1
    assert row["key-exchange"][0]["group"] not in ("", "(not known)")
