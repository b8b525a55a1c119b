"""Memory: what becomes of mail when a destination that always had TLS has none any more, and `postern memory`."""

import json
import os
import re
import signal
import time

import pytest

from harness.certificates import Authority
from harness.mail import letter
from harness.processes import eventually

DOMAIN = "example.net"
HOLD = 3
FIELDS = ["next-hop", "sessions", "first", "last", "with-tls", "row", "tls-first", "tls-last", "tls-version", "best",
          "best-last", "keys", "hosts", "sts", "sts-last", "broken", "tls-missing-since", "witnesses", "witness"]


@pytest.fixture
def gate(new_postern, sink):
    """A postern, not yet started, that needs three sessions over a second for a habit. The sink is its next hop."""
    return with_memory(new_postern("gate"), sink)


def with_memory(instance, sink, mode="defer"):
    instance.policy = {"memory": mode, "memory-deliveries": 3, "memory-span": 1, "memory-hold": HOLD}
    instance.delivery["idle-connection"] = 0        # each message a session of its own
    instance.retry["give-up"] = instance.retry["give-up-bounce"] = 120
    instance.relay_to(sink)
    return instance


def memory(gate, *arguments, code=0, **options):
    done = gate.command("memory", arguments[0], "-c", gate.file, *arguments[1:], **options)
    assert done.returncode == code, f"memory {arguments}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done


def known(gate, *names):
    return [json.loads(line) for line in memory(gate, "list", "--json", *names).stdout.splitlines()]


def of(gate, name):
    return {m["next-hop"]: m for m in known(gate)}.get(name)


def deliver(gate, sink, count=1):
    """One message after the other, each until its session is over."""
    for _ in range(count):
        before = len(sink.deliveries)
        gate.hand_in(letter(), f"carol@{DOMAIN}")
        sink.wait(before + 1)
        eventually(lambda: not sink.sessions[-1].open, 5, "the session is closed")


def make_habit(gate, sink):
    """Four sessions under TLS."""
    deliver(gate, sink, 2)
    time.sleep(1.2)
    deliver(gate, sink, 2)
    time.sleep(0.1)             # the far end sees the last session's end before it is counted here


def in_clear(sink):
    return [d for d in sink.deliveries if d.tls is None]


def test_clear_text_is_held_for_a_while_after_tls_has_vanished(gate, sink):
    gate.start()
    make_habit(gate, sink)
    assert not in_clear(sink) and not gate.events("memory.alarm")
    sink.starttls = "absent"
    began = time.time()
    gate.hand_in(letter(), f"carol@{DOMAIN}")

    deferred = eventually(lambda: gate.events("delivery.deferred"), 10, "the message is deferred")[0]
    assert deferred["code"] == "E_STARTTLS_NOT_OFFERED" and deferred["dsn"] == "4.7.4"
    assert "memory" in deferred["why"] and "held back until" in deferred["why"], deferred["why"]
    alarms = gate.events("memory.alarm")
    assert len(alarms) == 1 and alarms[0]["next-hop"] == sink.address and "used to offer TLS" in alarms[0]["what"]

    sink.wait(5, HOLD + 10)
    assert time.time() - began >= HOLD - 0.5 and len(in_clear(sink)) == 1
    gate.hand_in(letter(), f"carol@{DOMAIN}")           # the hold is over: no second wait, no second alarm
    sink.wait(6, 3)
    assert len(gate.events("memory.alarm")) == 1
    assert gate.events("delivery.sent")[-1]["tls"] == "none"


def test_tls_that_comes_back_ends_the_alarm_and_the_next_loss_is_held_anew(gate, sink):
    gate.start()
    make_habit(gate, sink)
    sink.starttls = "absent"
    gate.hand_in(letter(), f"carol@{DOMAIN}")
    eventually(lambda: gate.events("memory.alarm"), 10, "the alarm")
    sink.starttls = "offered"
    sink.wait(5)
    assert not in_clear(sink)
    eventually(lambda: not of(gate, sink.address)["alarm"], 5, "the alarm is over")

    sink.starttls = "refused"
    gate.hand_in(letter(), f"carol@{DOMAIN}")
    eventually(lambda: len(gate.events("memory.alarm")) == 2, 10, "the second alarm")
    assert gate.events("delivery.deferred")[-1]["code"] == "E_STARTTLS_REFUSED"
    sink.wait(6, HOLD + 10)
    assert len(in_clear(sink)) == 1


@pytest.mark.parametrize("manner", ["garbage", "hang-up"])
def test_tls_that_no_longer_works_is_tls_that_is_gone(gate, sink, manner):
    gate.delivery["cleartext-after"] = 0
    gate.start()
    make_habit(gate, sink)
    sink.starttls = manner
    gate.hand_in(letter(), f"carol@{DOMAIN}")
    eventually(lambda: gate.events("memory.alarm"), 10, "the alarm")
    assert gate.events("delivery.deferred")[0]["code"] == "E_TLS_HANDSHAKE"
    sink.wait(5, HOLD + 10)
    assert len(in_clear(sink)) == 1


def test_a_host_that_no_longer_knows_ehlo_is_held_and_then_spoken_to_in_clear(gate, sink):
    gate.start()
    make_habit(gate, sink)
    sink.answer("EHLO", "500 5.5.1 what?")
    gate.hand_in(letter(), f"carol@{DOMAIN}")
    eventually(lambda: gate.events("memory.alarm"), 10, "the alarm")
    assert not in_clear(sink)
    sink.wait(5, HOLD + 10)
    assert len(in_clear(sink)) == 1


def test_enforce_never_gives_in_until_somebody_says_forget(gate, sink):
    gate.policy["memory"] = "enforce"
    gate.start()
    make_habit(gate, sink)
    sink.starttls = "absent"
    gate.hand_in(letter(), f"carol@{DOMAIN}")
    eventually(lambda: len(gate.events("delivery.deferred")) >= 4, HOLD + 15, "four attempts")
    time.sleep(HOLD)
    assert len(sink.deliveries) == 4 and not in_clear(sink)
    assert "until TLS is back" in gate.events("delivery.deferred")[-1]["why"]
    assert f"postern memory forget {sink.address}" in memory(gate, "list", sink.address).stdout

    assert memory(gate, "forget", sink.address).stdout == f"forgotten: {sink.address}\n"
    sink.wait(5)
    assert len(in_clear(sink)) == 1


def test_alarm_only_tells(gate, sink):
    gate.policy["memory"] = "alarm"
    gate.start()
    make_habit(gate, sink)
    sink.starttls = "absent"
    gate.hand_in(letter(), f"carol@{DOMAIN}")
    sink.wait(5, 5)
    assert len(in_clear(sink)) == 1 and not gate.events("delivery.deferred")
    assert len(gate.events("memory.alarm")) == 1


def test_off_neither_looks_nor_keeps(gate, sink):
    gate.policy["memory"] = "off"
    gate.start()
    deliver(gate, sink, 3)
    sink.starttls = "absent"
    deliver(gate, sink)
    assert len(in_clear(sink)) == 1 and not gate.events("memory.alarm") and not known(gate)


def test_without_a_habit_nobody_waits(gate, sink):
    gate.start()
    deliver(gate, sink, 2)
    sink.starttls = "absent"
    gate.hand_in(letter(), f"carol@{DOMAIN}")
    sink.wait(3, 5)
    assert len(in_clear(sink)) == 1 and not gate.events("memory.alarm") and not gate.events("delivery.deferred")


def test_a_sender_who_prefers_delivery_is_not_made_to_wait(gate, sink):
    gate.start()
    make_habit(gate, sink)
    sink.starttls = "absent"
    gate.hand_in(b"TLS-Required: No\r\n" + letter(), f"carol@{DOMAIN}")
    sink.wait(5, 5)
    assert len(in_clear(sink)) == 1
    assert gate.events("memory.alarm"), "but it was seen"


def test_a_restart_keeps_the_memory(gate, sink):
    gate.start()
    make_habit(gate, sink)
    gate.stop()
    kept = of(gate, sink.address)          # from the disk: nobody runs
    assert kept["sessions"] == kept["with-tls"] == kept["row"] == 4 and kept["habit"] and not kept["alarm"]
    gate.start()
    sink.starttls = "absent"
    gate.hand_in(letter(), f"carol@{DOMAIN}")
    since = eventually(lambda: (of(gate, sink.address) or {}).get("tls-missing-since"), 10, "the alarm is stored")
    gate.stop()
    assert of(gate, sink.address)["tls-missing-since"] == since
    gate.start()
    sink.wait(5, HOLD + 15)
    assert len(in_clear(sink)) == 1 and len(gate.events("memory.alarm")) == 1, "the hold went on, and nobody told it twice"


def test_neither_the_store_nor_everybody_killed_loses_an_alarm(gate, sink):
    gate.policy["memory-hold"] = 600
    gate.start()
    make_habit(gate, sink)
    sink.starttls = "absent"
    gate.hand_in(letter(), f"carol@{DOMAIN}")
    eventually(lambda: (of(gate, sink.address) or {}).get("alarm"), 10, "the alarm is stored")
    store, = gate.workers("store").values()
    os.kill(store, signal.SIGKILL)
    eventually(lambda: gate.workers("store") and list(gate.workers("store").values()) != [store], 10, "a new store")
    assert of(gate, sink.address)["alarm"], "the new store knows"
    gate.hand_in(letter(), f"carol@{DOMAIN}")
    gate.wait_until_deferred(2)
    gate.kill_all()
    assert of(gate, sink.address)["alarm"] and of(gate, sink.address)["habit"]
    gate.start()
    time.sleep(3)
    assert not in_clear(sink) and len(gate.events("memory.alarm")) == 1


def test_a_second_address_is_asked_and_both_must_say_the_same(new_postern, dns, sink, new_sink):
    """The second host cannot be reached at first: clear text waits longer, for it might have TLS."""
    gate = with_memory(new_postern("gate"), sink)
    del gate.destinations[DOMAIN]
    gate.deliver_by_mx_to(sink)
    dns.mail_hosts(DOMAIN, ("mx1.hosts.example.net", sink.address), ("mx2.hosts.example.net", "127.0.0.3"))
    gate.start()
    make_habit(gate, sink)
    sink.starttls = "absent"
    began = time.time()
    gate.hand_in(letter(), f"carol@{DOMAIN}")
    eventually(lambda: gate.events("memory.alarm"), 10, "the alarm")
    shown = memory(gate, "list", DOMAIN).stdout
    assert f"seen at {sink.address}, at no other" in shown and "where a second address could not be asked" in shown, shown
    time.sleep(max(0, began + 2 * HOLD - time.time()))
    assert not in_clear(sink), "one address alone is not believed after one hold"
    other = new_sink(address="127.0.0.3", port=sink.port)
    other.starttls = "absent"
    eventually(lambda: in_clear(sink) or in_clear(other), 10, "both have said it")


def test_a_second_host_with_tls_gets_the_mail_at_once(new_postern, dns, sink, new_sink):
    gate = with_memory(new_postern("gate"), sink)
    del gate.destinations[DOMAIN]
    gate.deliver_by_mx_to(sink)
    other = new_sink(address="127.0.0.3", port=sink.port)
    dns.mail_hosts(DOMAIN, ("mx1.hosts.example.net", sink.address), ("mx2.hosts.example.net", other.address))
    gate.start()
    make_habit(gate, sink)
    sink.starttls = "absent"
    gate.hand_in(letter(), f"carol@{DOMAIN}")
    other.wait(1, 5)
    assert not in_clear(sink) and not in_clear(other) and not gate.events("delivery.deferred")
    assert gate.events("memory.alarm")[0]["relay"].startswith("mx1.hosts.example.net")


def test_a_new_key_is_told_and_nothing_more(gate, sink, place):
    stranger = Authority(place / "stranger")
    sink.certificate = stranger.issue("sink.example.net", self_signed=True)
    gate.start()
    make_habit(gate, sink)
    sink.certificate = stranger.issue("sink.example.net", self_signed=True)
    deliver(gate, sink)
    told = eventually(lambda: gate.events("memory.alarm"), 10, "the alarm")[0]
    assert "key was never seen" in told["what"]
    kept = eventually(lambda: len(of(gate, sink.address)["keys"]) == 2 and of(gate, sink.address), 5, "both keys")
    assert not kept["alarm"] and kept["broken"] == [] and kept["best"] == "encrypted"
    deliver(gate, sink)
    assert len(gate.events("memory.alarm")) == 1


def test_what_was_not_seen_for_long_leaves_the_store(gate, desk):
    gate.policy.update({"memory-forget": 86400 - 60, "memory-span": 1})
    gate.prepare()
    fresh = entry("new.example")
    fresh.update({name: iso(time.time() - 60) for name in ("last", "tls-last")})
    desk(lines(entry("old.example"), fresh))
    assert not of(gate, "old.example")["habit"]
    gate.start()
    eventually(lambda: not of(gate, "old.example"), 25, "it is forgotten", every=0.5)
    assert of(gate, "new.example")["habit"]


# --- the command ------------------------------------------------------------------


def iso(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + ".000Z"


def entry(name, **changes):
    """A line as an export has it, with a habit that is a month old."""
    first, last = iso(time.time() - 30 * 86400), iso(time.time() - 86400)
    made = {"next-hop": name, "sessions": 40, "first": first, "last": last, "with-tls": 30, "row": 25,
            "tls-first": first, "tls-last": last, "tls-version": "TLSv1.3", "best": "trusted", "best-last": last,
            "keys": [{"sha256": "ab" * 32, "last": last}], "hosts": [{"name": "mx." + name, "last": last, "tlsa": "seen"}],
            "sts": True, "sts-last": last, "broken": [], "tls-missing-since": None, "witnesses": 0, "witness": None}
    return {**made, **{name.replace("_", "-"): value for name, value in changes.items()}}


def lines(*entries):
    return "".join(json.dumps(e) + "\n" for e in entries)


@pytest.fixture
def desk(gate, place):
    """The same with nothing running: the command opens the queue itself. desk("text") imports that."""
    gate.prepare()

    def bring(text, *options, code=0):
        file = place / "import"
        file.write_text(text)
        return memory(gate, "import", *options, file, code=code)
    bring.gate = gate
    return bring


def test_export_forget_and_import_restore_everything(gate, sink, place):
    gate.start()
    make_habit(gate, sink)
    gate.stop()
    gate.start()
    exported = memory(gate, "export").stdout
    one = json.loads(exported)
    assert list(one) == FIELDS and one["next-hop"] == sink.address and one["sessions"] == 4
    assert re.fullmatch(r"[0-9a-f]{64}", one["keys"][0]["sha256"]) and one["hosts"][0]["name"] == sink.address
    assert one["best"] in ("encrypted", "trusted")

    memory(gate, "forget", sink.address)
    assert memory(gate, "export").stdout == ""
    file = place / "export"
    file.write_text(exported)
    assert memory(gate, "import", file).stdout == "1 imported: 1 new, 0 replaced\n"
    assert memory(gate, "export").stdout == exported

    sink.starttls = "absent"            # and the outbound process uses what was imported
    gate.hand_in(letter(), f"carol@{DOMAIN}")
    eventually(lambda: gate.events("memory.alarm"), 10, "the alarm")
    assert not in_clear(sink)


def test_what_a_running_process_holds_is_dropped_with_what_is_forgotten(gate, sink):
    gate.start()
    make_habit(gate, sink)
    memory(gate, "forget", sink.address)
    sink.starttls = "absent"
    gate.hand_in(letter(), f"carol@{DOMAIN}")
    sink.wait(5, 5)
    assert len(in_clear(sink)) == 1 and not gate.events("memory.alarm")


def test_the_list_has_alarms_first_and_the_details_by_name(desk):
    since = entry("x")["last"]
    desk(lines(entry("b.example"), entry("a.example", hosts=[], sts=False, sts_last=None),
               entry("z.example", broken=["tls"], tls_missing_since=since, witnesses=1, witness="192.0.2.7"),
               entry("y.example", sts=False, broken=["sts", "tlsa"],
                     hosts=[{"name": "mx.y.example", "last": since, "tlsa": "gone"}])))
    text = memory(desk.gate, "list").stdout.splitlines()
    assert [line[2:].split(" ")[0] for line in text] == ["NEXT", "y.example", "z.example", "a.example", "b.example", "next"]
    assert text[1].startswith("!") and "MTA-STS gone" in text[1] and "TLSA gone" in text[1]
    assert text[2].startswith("!") and "no TLS since" in text[2] and " 75% " in text[2]
    assert text[-1] == "4 next hops, 4 with a habit, 2 alarms; memory = defer"
    assert [m["next-hop"] for m in known(desk.gate)] == ["a.example", "b.example", "y.example", "z.example"]

    details = memory(desk.gate, "list", "Z.Example.", "a.example").stdout
    for words in ("40 since", "30 of them under TLS", "25 in a row", "used to offer TLS", "seen at 192.0.2.7, at no other",
                  "ab" * 32, "mx.z.example", "TLSA", "an enforced policy", "no longer held back", "a.example"):
        assert words in details, details
    one, = known(desk.gate, "z.example")
    assert list(one) == FIELDS + ["habit", "alarm", "held", "held-until"]
    assert one["habit"] and one["alarm"] and one["held"] is False and one["witness"] == "192.0.2.7"


def test_an_unknown_domain_is_an_error_and_the_others_are_done(desk):
    desk(lines(entry("a.example"), entry("b.example")))
    for act in ("list", "forget"):
        done = memory(desk.gate, act, "nobody.example", "a.example", code=1)
        assert "a.example" in done.stdout and 'nothing is remembered of "nobody.example"' in done.stderr
    assert [m["next-hop"] for m in known(desk.gate)] == ["b.example"]
    memory(desk.gate, "list", "x" * 400, code=1)
    memory(desk.gate, "list", "", code=1)


def test_forget_all_asks_or_is_told_yes(desk):
    desk(lines(*[entry(f"d{n}.example") for n in range(120)]))
    memory(desk.gate, "forget", "--all", code=64)
    assert len(known(desk.gate)) == 120
    assert memory(desk.gate, "forget", "--all", "--yes").stdout == "forgotten: 120 next hops\n"
    assert known(desk.gate) == []
    assert memory(desk.gate, "forget", "--all", "--yes").stdout == "forgotten: 0 next hops\n"


def test_import_keeps_what_was_seen_later_unless_told_to_replace(desk):
    old, new = entry("a.example"), entry("a.example", sessions=50)
    old["last"] = old["tls-last"] = old["best-last"] = old["sts-last"] = old["hosts"][0]["last"] = \
        old["keys"][0]["last"] = old["first"]
    desk(lines(new))
    assert desk(lines(old, entry("b.example"))).stdout.startswith("1 imported: 1 new, 0 replaced; 1 not")
    assert of(desk.gate, "a.example")["sessions"] == 50
    assert desk(lines(old), "--replace").stdout == "1 imported: 0 new, 1 replaced\n"
    assert of(desk.gate, "a.example")["sessions"] == 40
    assert desk(lines(new)).stdout == "1 imported: 0 new, 1 replaced\n"


def test_import_reads_a_pipe(desk):
    text = lines(entry("a.example")) + "\n  \n" + lines(entry("b.example")).rstrip("\n")
    done = memory(desk.gate, "import", "-", input=text)
    assert done.stdout == "2 imported: 2 new, 0 replaced\n"
    assert memory(desk.gate, "import", "-", input="").stdout == "0 imported: 0 new, 0 replaced\n"


DAY = "2026-01-02T00:00:00.000Z"
WRONG = {
    "no JSON": "{",
    "no object": "[]",
    "two of a kind": '{"next-hop": "a.example", "next-hop": "b.example"}',
    "a byte order mark": "\ufeff{}",
    "control characters": '{"next-hop": "a\\u0000b"}',
    "a field that is missing": {"witness": ...},
    "a field too many": {"habit": True},
    "no next hop": {"next-hop": None},
    "a next hop that is no name": {"next-hop": "a b.example"},
    "a next hop that is too long": {"next-hop": "a." * 200 + "example"},
    "a negative count": {"sessions": -1},
    "a broken count": {"sessions": 1.5},
    "a count of text": {"sessions": "40"},
    "a count beyond 64 bits": {"sessions": 10 ** 20},
    "more in a row than there were": {"row": 31},
    "more TLS than sessions": {"with-tls": 41},
    "a time of another form": {"first": "2026-01-01 00:00:00"},
    "the 30th of February": {"first": "2026-02-30T00:00:00.000Z"},
    "the future": {"last": "2999-01-01T00:00:00.000Z"},
    "an end before the beginning": {"last": "2001-01-01T00:00:00.000Z"},
    "a version of its own": {"tls-version": "SSLv3"},
    "a verdict of its own": {"best": "splendid"},
    "a verdict that is too long": {"best": "x" * 300},
    "a short key": {"keys": [{"sha256": "ab", "last": DAY}]},
    "a key without a time": {"keys": [{"sha256": "ab" * 32, "last": None}]},
    "a key with more": {"keys": [{"sha256": "ab" * 32, "last": None, "x": 1}]},
    "a key that is none": {"keys": [7]},
    "too many keys": {"keys": [{}] * 5},
    "keys that are no list": {"keys": {}},
    "the same host twice": {"hosts": [{"name": "m", "last": DAY, "tlsa": "never"}] * 2},
    "a host that acts on the terminal": {"hosts": [{"name": "\x1b[2J", "last": DAY, "tlsa": "never"}]},
    "a host with half a TLSA": {"hosts": [{"name": "m", "last": DAY, "tlsa": "half"}]},
    "a policy that is half there": {"sts": 1},
    "a policy without a time": {"sts-last": None},
    "a break that nobody knows": {"broken": ["key"]},
    "a break twice": {"broken": ["sts", "sts"], "sts": False},
    "an alarm without its time": {"broken": ["tls"]},
    "a time without its alarm": {"tls-missing-since": "2026-01-01T00:00:00.000Z"},
    "three witnesses": {"witnesses": 3},
    "a witness without an address": {"witness": "mx.example"},
}


@pytest.mark.parametrize("what", WRONG)
def test_a_line_that_is_wrong_is_named_and_nothing_is_imported(desk, what):
    wrong = WRONG[what]
    if isinstance(wrong, dict):
        made = entry("wrong.example", **wrong)
        wrong = json.dumps({k: v for k, v in made.items() if v is not ...})
    done = desk(lines(entry("a.example")) + wrong + "\n" + lines(entry("b.example")), code=1)
    complaints = done.stderr.splitlines()
    assert len(complaints) == 2 and re.match(r".*/import:2: .+", complaints[0]), done.stderr
    assert "nothing was imported" in complaints[1] and done.stderr.isprintable() is False
    assert all(c.isprintable() for c in complaints) and known(desk.gate) == []


def test_many_wrong_lines_are_counted(desk):
    done = desk("nonsense\n" * 50, code=1)
    assert done.stderr.count(": no JSON") == 20 and "30 more lines are wrong" in done.stderr
    assert desk("x" * 100000, code=1).stderr.count("\n") == 2
    memory(desk.gate, "import", "/nonexistent/file", code=1)


def test_wrong_words_are_told(desk):
    for arguments in (["list", "--yes"], ["export", "name"], ["import"], ["import", "a", "b"], ["forget"],
                      ["forget", "--all", "a.example"], ["export", "--json"], ["remember"], ["list", "--wat"]):
        done = memory(desk.gate, *arguments, code=64)
        assert done.stderr.startswith("postern memory: ") and "postern help memory" in done.stderr
    assert desk.gate.command("memory").returncode == 64


def test_a_long_list_comes_page_by_page(desk):
    names = [f"d{n:05}.example" for n in range(1100)]
    desk(lines(*[entry(name) for name in names]))
    assert [m["next-hop"] for m in known(desk.gate)] == names
    assert len(memory(desk.gate, "list").stdout.splitlines()) == 1102
    assert [json.loads(line)["next-hop"] for line in memory(desk.gate, "export").stdout.splitlines()] == names


def test_there_is_colour_only_where_it_is_wanted(desk):
    desk(lines(entry("a.example")))
    assert "\x1b" not in memory(desk.gate, "list").stdout + memory(desk.gate, "list", "a.example").stdout
