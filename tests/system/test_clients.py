"""`postern clients`: who would be cut off by a stricter rule, and who cannot send already."""

import csv
import io
import json
import ssl

import pytest

from harness import tallies
from harness.dialogue import Dialogue
from harness.mail import letter
from harness.postern import Postern
from harness.processes import eventually
from harness.tallies import TODAY, date, in_clear, received, visit

OLD = "the peer speaks at most TLSv1.0, the least allowed here is TLSv1.2"

DAYS = [
    visit("192.0.2.7", 40, "submission", "1.0", name="scanner.example.org", user="scanner@example.org"),
    visit("192.0.2.7", 5, "submission", "1.0", name="scanner.example.org", user="scanner@example.org", ago=3),
    visit("192.0.2.8", 300, "submission", name="[192.0.2.8]", user="alice"),
    visit("192.0.2.9", 12, "submission", "", name="=2+5", user="@SUM(A1)", **{"password-in-clear": True}),
    visit("192.0.2.9", 88, "submission", name="=2+5", user="@SUM(A1)"),
    visit("2001:db8::5", 9, "submission", "", name="fax", end="handshake-failed", problem=f"TLS handshake failed: {OLD}"),
    visit("2001:db8::6", 4, "submission", "", name="thing\x1b[31m", end="refused-in-clear"),
    visit("198.51.100.7", 70, tls="", name="mx1.example.net"), visit("198.51.100.8", 30, tls="", name="mx2.example.net"),
    visit("198.51.100.9", 900, name="mx3.example.net"),
    visit("2001:db8:7:8::1", 50, tls="1.2", name="mx.example.com"),
    visit("203.0.113.1", 6, tls="", name="many", rest=True),
    visit("203.0.113.9", 1000, tls="", name="long ago", ago=30),
    in_clear("example.net", 500), received("example.net", 500, tls=""),
]
MESSAGES = 40 + 5 + 300 + 12 + 88 + 70 + 30 + 900 + 50 + 6


@pytest.fixture(scope="module")
def gate(shared_place, our_certificate):
    return tallies.fill(Postern(shared_place / "gate", None, our_certificate), DAYS)


def clients(gate, *arguments, code=0):
    ended = gate.command("clients", "-c", gate.file, *arguments)
    assert ended.returncode == code, f"{ended.returncode}: {ended.stdout}{ended.stderr}"
    return ended.stdout


def told(gate, *arguments):
    return json.loads(clients(gate, "--json", *arguments))


def known(gate, *arguments):
    return {c["client"]: c for c in told(gate, *arguments)["list"]}


def test_every_client_is_told_with_what_it_sent_and_how(gate):
    said = told(gate)
    assert (said["since"], said["until"], said["counted-since"]) == (date(TODAY - 29), date(TODAY), date(TODAY - 3))
    assert said["total"]["messages"] == MESSAGES and said["total"]["clients"] == 7 and said["total"]["clients-failing"] == 2
    assert said["mx"]["versions"] == {"in-clear": 106, "TLSv1.0": 0, "TLSv1.1": 0, "TLSv1.2": 50, "TLSv1.3": 900}
    who = known(gate)
    scanner = who["192.0.2.7"]
    assert (scanner["messages"], scanner["versions"]["TLSv1.0"], scanner["oldest-version"]) == (45, 45, "TLSv1.0")
    assert (scanner["names"], scanner["users"], scanner["last"]) == (["scanner.example.org"], ["scanner@example.org"], date(TODAY))
    network = who["198.51.100.0/24"]
    assert network["messages"] == 1000 and network["versions"]["in-clear"] == 100 and len(network["addresses"]) == 3
    assert who["2001:db8:7::/48"]["messages"] == 50
    assert who[None]["role"] == "mx" and who[None]["versions"]["in-clear"] == 6 and who[None]["names"] == []
    assert "would-be-refused" not in scanner and "if" not in said


def test_passwords_that_go_badly_protected_are_seen(gate):
    who = known(gate, "--role", "submission")
    assert who["192.0.2.7"]["oldest-version-with-password"] == "TLSv1.0" and who["192.0.2.7"]["passwords-in-clear"] == 0
    assert who["192.0.2.9"]["passwords-in-clear"] == 12
    text = clients(gate, "--role", "submission")
    assert "its password goes over TLSv1.0" in text and "its password goes in clear: 12 times" in text


def test_clients_that_fail_already_are_seen(gate):
    who = known(gate)
    assert who["2001:db8::5"]["problems"] == [{"problem": OLD, "sessions": 9}] and who["2001:db8::5"]["messages"] == 0
    assert who["2001:db8::6"]["refused-in-clear"] == 4
    text = clients(gate)
    assert "9 handshakes failed: the peer speaks at most TLSv1.0" in text and "4 sessions refused in clear" in text
    assert "2 clients fail already" in text


@pytest.mark.parametrize("arguments, cut_off, refused, summary", [
    (["--if", "tls=required"], 3, 118, "3 clients, 118 messages of 1,501 (7.9 %) would be refused: 118 in clear"),
    (["--if", "tls-minimum=1.2"], 1, 45, "1 client, 45 messages of 1,501 (3.0 %) would be refused: 45 by a version before TLSv1.2"),
    (["--if", "tls=required", "--if", "tls-minimum=1.3"], 5, 213,
     "5 clients, 213 messages of 1,501 (14.2 %) would be refused: 118 in clear, 95 by a version before TLSv1.3"),
    (["--if", "tls=required", "--role", "submission"], 1, 12, "1 client, 12 messages of 445 (2.7 %) would be refused: 12 in clear"),
    (["--if", "tls-minimum=1.2", "--role", "mx"], 0, 0, "Nobody would be cut off: none of 1,056 messages from 2 clients"),
])
def test_who_would_be_cut_off(gate, arguments, cut_off, refused, summary):
    said = told(gate, *arguments)
    assert (said["total"]["clients-cut-off"], said["total"]["would-be-refused"]) == (cut_off, refused)
    hit = [c for c in said["list"] if c["would-be-refused"]]
    assert len(hit) == cut_off and sum(c["would-be-refused"] for c in hit) == refused
    assert all(c["failed-handshakes"] or c["refused-in-clear"] for c in said["list"] if not c["would-be-refused"])
    assert " ".join(clients(gate, *arguments).split()).count(summary) == 1


def test_the_day_it_would_have_been_refused_last_is_told(gate):
    who = known(gate, "--if", "tls-minimum=1.2")
    assert who["192.0.2.7"]["last-that-would-be-refused"] == date(TODAY)
    assert who["2001:db8::5"]["last-that-would-be-refused"] is None


@pytest.mark.parametrize("by, wanted", [
    ("address", {"198.51.100.7", "198.51.100.9", "192.0.2.7", "2001:db8:7:8::1"}), ("network", {"192.0.2.0/24", "2001:db8::/48"}),
    ("name", {"mx1.example.net", "fax"}), ("user", {"alice", "scanner@example.org", ""})])
def test_clients_may_be_told_by(gate, by, wanted):
    assert wanted <= set(known(gate, "--by", by))
    clients(gate, "--by", by)


def test_a_terminal_stays_in_its_columns(gate):
    for arguments in ([], ["--if", "tls=required"], ["--by", "name"]):
        said = clients(gate, *arguments)
        assert max(len(line) for line in said.splitlines()) <= 80, said
        assert "\033" not in said and not any(line != line.rstrip() for line in said.splitlines())
    assert "thing\\x1b[31m" in clients(gate)
    assert "... and 3 more; --top 0 shows all" in clients(gate, "--top", "2", "--role", "submission")
    assert "more; --top" not in clients(gate, "--top", "0")


def test_roles_stand_in_the_same_order_everywhere(gate):
    text = clients(gate)
    assert text.index("Mail hosts (mx)") < text.index("Submission") and f"  {date(TODAY)}" in text
    for roles in ([c["role"] for c in told(gate)["list"]],
                  [row["role"] for row in csv.DictReader(io.StringIO(clients(gate, "--csv")))]):
        assert roles == sorted(roles, key=["mx", "submission"].index)


def test_the_list_of_those_to_write_to(gate):
    table = list(csv.DictReader(io.StringIO(clients(gate, "--export", "csv", "--if", "tls-minimum=1.2", "--if", "tls=required"))))
    assert list(table[0])[:6] == ["address", "name", "user", "role", "last-day", "messages"]
    who = {row["address"].split()[0]: row for row in table}
    assert "192.0.2.8" not in who and "2001:db8:7:8::1" not in who
    scanner = who["192.0.2.7"]
    assert (scanner["user"], scanner["oldest-version"], scanner["would-be-refused"], scanner["in-clear"], scanner["last-day"]) == (
        "scanner@example.org", "TLSv1.0", "45", "0", date(TODAY))
    assert who["2001:db8::5"]["problems"] == OLD and who["2001:db8::5"]["failed-sessions"] == "9"
    assert who["192.0.2.9"]["name"] == "'=2+5" and who["192.0.2.9"]["user"] == "'@SUM(A1)"
    assert who["2001:db8::6"]["problems"] == "in clear where TLS is required" and who["2001:db8::6"]["failed-sessions"] == "4"
    everybody = clients(gate, "--export", "csv")
    assert "192.0.2.7" in everybody and "192.0.2.8" not in everybody and "\033" not in everybody


def test_a_spreadsheet_gets_all_of_them(gate):
    table = {row["client"]: row for row in csv.DictReader(io.StringIO(clients(gate, "--csv")))}
    assert table["192.0.2.8"]["tls-1.3"] == "300" and table["(others)"]["in-clear"] == "6"
    assert table["192.0.2.9"]["passwords-in-clear"] == "12"


def test_nobody_is_said(shared_place, our_certificate):
    empty = tallies.fill(Postern(shared_place / "empty", None, our_certificate), [])
    assert "No client is counted." in clients(empty) and told(empty)["list"] == []
    assert "No client is counted." in clients(empty, "--if", "tls=required")


@pytest.mark.parametrize("arguments, complaint", [
    (["--if", "tls=maybe"], "tls=maybe"), (["--if", "tls-minimum=1.4"], "tls-minimum=1.4"), (["--if", "tls-minimum=1.0"], "1.0"),
    (["--by", "colour"], "--by colour"), (["--role", "web"], "--role web"), (["--export", "xml"], "--export xml"),
    (["--since", "x"], "--since x"), (["--json", "--export", "csv"], "is enough"), (["--quiet"], "--quiet is not known"),
    (["--by"], "--by needs a value"), (["x"], "too much")])
def test_wrong_arguments_are_told(gate, arguments, complaint):
    ended = gate.command("clients", "-c", gate.file, *arguments)
    assert ended.returncode == 64 and complaint in ended.stderr, ended.stderr


def test_what_clients_did_a_moment_ago_is_told_by_the_running_postern(new_postern):
    gate = new_postern("running").start()
    with Dialogue(gate.port, source="127.0.0.2") as client:
        client.hello("plain.example.net")
        assert client.message(letter(), "alice@example.net", "bob@example.org").code == 250
    with Dialogue(gate.port, source="127.0.1.3") as client:
        client.hello("sealed.example.net")
        client.starttls()
        assert client.message(letter(), "alice@example.net", "bob@example.org").code == 250
    with Dialogue(gate.submission_port, source="127.0.0.4") as client:
        client.hello("old-scanner")
        client.command("STARTTLS")
        with pytest.raises(OSError):
            client.wrap(maximum_version=ssl.TLSVersion.TLSv1_1, minimum_version=ssl.TLSVersion.TLSv1)

    def seen():
        who = known(gate)
        return who if {"127.0.0.0/24", "127.0.1.0/24", "127.0.0.4"} <= set(who) else None
    who = eventually(seen, 20, lambda: f"three clients are counted: {known(gate)}", every=0.5)
    assert who["127.0.0.0/24"]["versions"]["in-clear"] == 1 and who["127.0.0.0/24"]["names"] == ["plain.example.net"]
    assert who["127.0.1.0/24"]["versions"]["TLSv1.3"] == 1
    assert who["127.0.0.4"]["failed-handshakes"] == 1 and "TLSv1.2" in who["127.0.0.4"]["problems"][0]["problem"]
    cut = told(gate, "--if", "tls=required")["total"]
    assert (cut["clients-cut-off"], cut["would-be-refused"], cut["messages"], cut["clients-failing"]) == (1, 1, 2, 1)
