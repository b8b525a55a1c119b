"""Starting, stopping, reloading, running out of disk, and the operator's hand on the queue."""

import os
import signal
import subprocess
import time

import pytest

from harness.dialogue import Dialogue
from harness.load import Load
from harness.mail import identity_of, letter, top_received, without_trace
from harness.postern import ACCOUNT, Postern
from harness.processes import eventually, free_port, has_ipv6, is_gone


# --- start and stop -------------------------------------------------------------------


def test_the_configuration_can_be_checked(postern):
    postern.prepare()
    done = postern.command("config", "check", "-c", postern.file)
    assert done.returncode == 0, done.stdout + done.stderr
    postern.file.write_text(postern.configuration().replace("hostname =", "hostnane ="))
    done = postern.command("config", "check", "-c", postern.file)
    assert done.returncode != 0
    assert "postern.conf:1" in done.stdout + done.stderr
    postern.limits["recipients"] = 1            # fewer than RFC 5321 4.5.3.1.8 demands
    postern.file.write_text(postern.configuration())
    done = postern.command("config", "check", "-c", postern.file)
    assert done.returncode != 0
    line = next(n for n, text in enumerate(postern.configuration().splitlines(), 1) if "recipients" in text)
    assert f"postern.conf:{line}" in done.stdout + done.stderr


def test_every_role_has_a_process_without_rights(gate):
    names = gate.workers()
    for kind in ("store", "inbound", "outbound"):
        assert any(kind in n for n in names), names
    if os.geteuid() == 0:
        for name, pid in names.items():
            status = open(f"/proc/{pid}/status").read()
            assert "\nUid:\t0\t" not in status and "\nCapEff:\t0000000000000000" in status, f"{name} has rights"
            assert "\nNoNewPrivs:\t1" in status


def test_sigterm_says_421_to_the_idle_and_ends_with_0(gate):
    # SMTP-016
    family = [gate.process.pid, *gate.workers().values()]
    with Dialogue(gate.port) as clear, Dialogue(gate.port) as secret:
        clear.hello()
        secret.hello()
        secret.starttls()
        gate.process.send_signal(signal.SIGTERM)
        assert clear.reply().code == 421 and secret.reply().code == 421
        assert clear.is_closed() and secret.is_closed()
    assert gate.process.wait(15) == 0
    assert all(is_gone(pid) for pid in family)


def test_sigterm_lets_a_message_under_way_end(gate):
    sent = letter()
    with Dialogue(gate.port) as client:
        client.hello()
        client.envelope()
        client.expect(354, "DATA")
        client.send(sent[:40])
        gate.process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        client.send(sent[40:] + b".\r\n")
        assert client.reply().code == 250
    assert gate.process.wait(20) == 0
    gate.start()
    assert without_trace(gate.wait_for_mail(1)[0], return_path=True) == sent


def test_sigterm_says_quit_to_hosts_with_an_idle_connection_and_ends_with_0(postern, sink):
    # SMTP-091
    postern.relay_to(sink)
    postern.delivery["idle-connection"] = 60
    postern.start()
    postern.hand_in(letter())
    sink.wait(1)
    postern.wait_until_empty()
    postern.process.send_signal(signal.SIGTERM)
    assert postern.process.wait(5) == 0
    assert sink.sessions[0].verbs[-1] == "QUIT"


def test_what_waits_in_the_queue_is_delivered_after_a_restart(postern, sink):
    # (P1)
    sink.answer("RCPT", "450 4.2.1 later", times=100)
    postern.relay_to(sink)
    postern.start()
    for n in range(5):
        postern.hand_in(letter(identity=f"kept-{n}"))
    postern.wait_until_deferred(5)
    assert postern.stop() == 0
    sink.behave()
    postern.start()
    sink.wait(5)
    postern.wait_until_empty()
    assert len(sink.deliveries) == 5


def test_a_second_instance_on_the_same_directory_is_refused(gate, dns):
    second = Postern(gate.directory, dns, gate.certificates["default"], gate.trusts)
    second.file = gate.directory / "second.conf"
    second.log = gate.directory / "log.second"
    second.start(wait=False)
    assert second.process.wait(10) != 0
    assert "event=ready" not in second.text()
    assert str(gate.data) in second.text() or "another" in second.text(), second.text()
    with Dialogue(gate.port) as client:
        client.hello()
        assert client.message(letter()).code == 250
    gate.wait_for_mail(1)


def test_a_port_that_is_taken_is_named(gate, new_postern):
    second = new_postern("second")
    second.port = gate.port
    second.start(wait=False)
    assert second.process.wait(10) != 0
    assert str(gate.port) in second.text()


def test_a_worker_that_dies_is_replaced(gate):
    # (P5)
    before = gate.workers()
    for name, pid in before.items():
        os.kill(pid, signal.SIGKILL)
        eventually(lambda: gate.workers().get(name) not in (None, pid), 10, f"{name} comes back: {gate.workers()}")
    with Dialogue(gate.port) as client:
        client.hello()
        client.starttls()
        assert client.message(letter()).code == 250
    gate.wait_for_mail(1)


# --- reload -----------------------------------------------------------------------------


def test_sighup_shows_a_new_certificate_without_dropping_sessions(postern, authority):
    first, second = authority.issue("mx.example.org"), authority.issue("mx.example.org", key="rsa")
    postern.certificates = {"default": first}
    postern.start()
    with Dialogue(postern.port) as old, Dialogue(postern.port) as old_and_clear:
        old.hello()
        old.starttls()
        old_and_clear.hello()
        assert old.certificate() == first.der
        old.envelope()
        postern.certificates = {"default": second}
        postern.prepare()
        postern.reload()

        def new_sessions_see_the_second():
            with Dialogue(postern.port) as new:
                new.hello()
                new.starttls()
                return new.certificate() == second.der
        eventually(new_sessions_see_the_second, 10, "a new certificate", every=0.1)
        old.expect(354, "DATA")
        old.send(letter(identity="through-the-reload") + b".\r\n")
        assert old.reply().code == 250
        assert old_and_clear.message(letter()).code == 250
        assert old.message(letter()).code == 250
    postern.wait_for_mail(3)


def test_sighup_with_a_broken_configuration_changes_nothing(gate):
    gate.file.write_text("this is no configuration {")
    gate.reload()
    time.sleep(0.5)
    assert gate.process.alive()
    with Dialogue(gate.port) as client:
        client.hello()
        client.starttls()
        assert client.message(letter()).code == 250
    gate.wait_for_mail(1)


def test_sighup_brings_a_new_route(postern, sink, new_sink):
    other = new_sink(address="127.0.0.3")
    postern.relay_to(sink)
    postern.start()
    postern.hand_in(letter())
    sink.wait(1)
    postern.relay_to(other)
    postern.prepare()
    postern.reload()

    def goes_the_new_way():
        postern.hand_in(letter())
        time.sleep(0.2)
        return other.deliveries
    eventually(goes_the_new_way, 10, "mail takes the new route", every=0.2)


def test_reloads_under_load_break_no_session(postern, sink):
    postern.domains["relay.example.org"] = {"route": f"smtp {sink.address}:{sink.port}", "tls": {"level": "encrypt"}}
    postern.start()
    with Load(postern.port, ["bob@example.org", "carol@relay.example.org"]) as load:
        for _ in range(5):
            time.sleep(0.5)
            postern.reload()
        time.sleep(0.5)
    assert load.broken == 0 and not load.refused
    assert len(load.accepted) > 20
    postern.wait_until_empty(30)
    arrived = [identity_of(m) for m in postern.mailbox() + sink.messages]
    assert sorted(arrived) == sorted(load.accepted)     # each once


def test_after_a_reload_the_old_processes_go(gate):
    def at_the_border():
        return {**gate.workers("inbound"), **gate.workers("outbound")}
    before = at_the_border()
    gate.reload()
    eventually(lambda: all(is_gone(pid) for pid in before.values()) and at_the_border().keys() == before.keys(), 15,
               lambda: f"new processes: {at_the_border()}, before {before}")


def test_sigterm_in_the_middle_of_a_delivery_loses_nothing(postern, sink):
    # (P1)
    sink.pause = 0.3
    postern.relay_to(sink)
    postern.start()
    for n in range(8):
        postern.hand_in(letter(identity=f"in-flight-{n}"))
    sink.wait_for_session(1)
    assert postern.stop(30) == 0
    sink.pause = 0
    postern.start()
    eventually(lambda: len({identity_of(m) for m in sink.messages}) == 8, 15)
    postern.wait_until_empty()
    assert len(sink.deliveries) == 8


# --- other ways to run -------------------------------------------------------------------


def test_it_runs_without_root(new_postern):
    if os.geteuid() != 0:
        pytest.skip("that is what all tests do, when they run without root")
    postern = new_postern()
    postern.certificates = {}
    postern.account = ""
    postern.start(copied=True, user=ACCOUNT)
    with Dialogue(postern.port) as client:
        client.hello()
        client.starttls()
        assert client.message(letter()).code == 250
    postern.wait_for_mail(1)
    assert postern.stop() == 0


def test_mail_over_ipv6_is_taken_and_named_in_the_trace(postern):
    # SMTP-024
    if not has_ipv6():
        pytest.skip("there is no ::1 on this machine")
    postern.address = "[::1]"
    postern.start()
    with Dialogue(postern.port, address="::1") as client:
        client.hello()
        assert client.message(letter()).code == 250
    assert "[IPv6:::1]" in top_received(postern.wait_for_mail(1)[0])


def test_nothing_a_peer_says_can_forge_a_line_of_the_log(gate):
    with Dialogue(gate.port) as client:
        client.command('EHLO x" event=forged')
        client.command("EHLO x\x1b[2Jevent=forged")
        client.hello()
        client.expect(250, 'MAIL FROM:<"a event=forged \\" event=forged"@example.net>')
        client.expect(250, "RCPT TO:<bob@example.org>")
        client.expect(354, "DATA")
        client.send(letter() + b".\r\n")
        assert client.reply().code == 250
    gate.wait_for_mail(1)
    assert gate.events("message.accepted")
    assert not gate.events("forged") and "\x1b" not in gate.text()
    assert all(e.get("time") and e.get("event") for e in gate.events())


# --- the disk ---------------------------------------------------------------------------


@pytest.fixture
def small_disk(postern):
    """The data directory on a file system of 16 MiB."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small file system")
    postern.prepare()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m,mode=755", "tmpfs", postern.data])
    if mounted.returncode != 0:
        pytest.skip("a small file system cannot be mounted here")
    postern.prepare()
    yield postern.data
    postern.stop()
    subprocess.run(["umount", "-l", postern.data], check=True)


def test_a_full_disk_is_answered_with_452_and_heals_by_itself(postern, small_disk):
    # SMTP-191, (P1): nothing accepted is lost, nothing is accepted that cannot be kept.
    postern.start()
    filler = small_disk / "filler"
    with Dialogue(postern.port) as client:
        client.hello()
        assert client.message(letter(identity="before")).code == 250
        postern.wait_for_mail(1)
        with open(filler, "wb") as f:
            try:
                while f.write(b"\0" * 65536):
                    f.flush()
            except OSError:
                pass

        def refused():
            answer = client.command("MAIL FROM:<alice@example.net>")
            if answer.code == 250:
                client.expect(250, "RCPT TO:<bob@example.org>")
                answer = client.command("DATA")
                if answer.code == 354:
                    client.send(letter(identity="during") + b".\r\n")
                    answer = client.reply()
            client.command("RSET")
            return answer
        answer = refused()
        assert answer.code == 452 and answer.status == "4.3.1", str(answer)
        assert refused().code == 452
        filler.unlink()
        eventually(lambda: client.message(letter(identity="after")).code == 250, 15, "mail is taken again", every=0.5)
    got = b"".join(postern.wait_for_mail(2))
    assert b"<before@" in got and b"<after@" in got and b"<during@" not in got
    assert postern.process.alive()


def test_a_disk_that_fills_in_the_middle_of_a_message_refuses_it(postern, small_disk):
    postern.start()
    with Dialogue(postern.port, seconds=30) as client:
        client.hello()
        answer = client.message(letter(body=(b"0123456789" * 7 + b"\r\n") * 400_000))   # 28 MB
        assert answer.code in (452, 451), str(answer)
        eventually(lambda: client.message(letter(identity="small")).code == 250, 15, "a small one is taken", every=0.5)
    got, = postern.wait_for_mail(1)
    assert b"<small@" in got


# --- the operator's hand ------------------------------------------------------------------


@pytest.fixture
def stuck(postern, sink):
    """A message that waits, for its host says later."""
    sink.answer("RCPT", "450 4.2.1 come back later")
    postern.relay_to(sink)
    postern.retry.update({"first": 600, "most": 600, "give-up": 3600})
    postern.start()
    postern.hand_in(letter(subject="stuck"))
    return postern.wait_until_deferred(1)[0]


def test_the_queue_says_what_waits_and_why(postern, stuck):
    shown = str(postern.queue("show", stuck["id"]))
    for word in ("carol@example.net", "alice@example.org", "4.2.1", "come back later"):
        assert word in shown, shown
    plain = postern.command("queue", "list", "-c", postern.file)
    assert plain.returncode == 0 and stuck["id"] in plain.stdout and "carol@example.net" in plain.stdout


def test_a_message_is_retried_on_demand(postern, sink, stuck):
    sink.behave()
    postern.queue("retry", stuck["id"])
    sink.wait(1)
    postern.wait_until_empty()


def test_a_flush_retries_everything(postern, sink, stuck):
    postern.hand_in(letter())
    postern.wait_until_deferred(2)
    sink.behave()
    postern.queue("flush")
    sink.wait(2)
    postern.wait_until_empty()


def test_a_held_message_stays_until_it_is_released(postern, sink, stuck):
    postern.queue("hold", stuck["id"])
    sink.behave()
    postern.queue("flush")
    time.sleep(1)
    assert not sink.deliveries
    postern.queue("release", stuck["id"])
    sink.wait(1)


def test_a_removed_message_is_gone_without_a_bounce(postern, sink, stuck):
    postern.queue("remove", stuck["id"])
    postern.wait_until_empty()
    assert not postern.mailbox()
    done = postern.command("queue", "show", stuck["id"], "-c", postern.file)
    assert done.returncode != 0 and done.stderr


def test_the_queue_can_be_read_while_postern_is_stopped(postern, stuck):
    assert postern.stop() == 0
    assert postern.waiting()[0]["id"] == stuck["id"]
    postern.queue("remove", stuck["id"])
    assert postern.waiting() == []


def test_postern_send_says_why_a_message_was_not_taken(gate, place):
    (place / "message").write_bytes(letter())
    done = gate.command("send", "--server", f"127.0.0.1:{gate.port}", "--from", "alice@example.net",
                        "--to", "carol@example.com", place / "message")
    assert done.returncode != 0
    assert "550" in done.stdout + done.stderr
    done = gate.command("send", "--server", f"127.0.0.1:{free_port()}", "--from", "alice@example.net",
                        "--to", "bob@example.org", place / "message")
    assert done.returncode != 0 and done.stderr


def test_nobody_is_sent_away_by_a_reload(postern):
    """A new process takes connections only once it has its line to the store."""
    postern.start()
    for number in range(5):
        postern.reload()
        eventually(lambda: len(postern.events("reload.done")) == number + 1, 10, "it is reloaded", every=0.002)
        for _ in range(5):
            postern.hand_in(letter(), "bob@example.org")
    postern.wait_for_mail(25)
