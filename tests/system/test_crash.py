"""kill -9 at any moment: every message that was answered 250 arrives (P1).

CRASH_SECONDS stretches it; by default the whole file takes about half a minute."""

import os
import shutil
import signal
import time
from collections import defaultdict

import pytest

from harness.dialogue import Dialogue
from harness.load import END, Executioner, Load
from harness.mail import identity_of, letter
from harness.processes import Process, eventually

SECONDS = float(os.environ.get("CRASH_SECONDS", 25)) / 5


@pytest.mark.parametrize("kinds", [["inbound"], ["outbound"], ["store"], ["master"],
                                   ["inbound", "outbound", "store", "store", "master"]], ids="+".join)
def test_nothing_accepted_is_lost_when_processes_are_killed(postern, sink, kinds):
    # (P1), SMTP-049, -090
    postern.domains["relay.example.org"] = {"route": f"smtp {sink.address}:{sink.port}", "tls": {"level": "encrypt"}}
    postern.limits["connections-per-client"] = 200
    postern.start()
    executioner = Executioner(postern, kinds)
    with Load(postern.port, ["bob@example.org", "carol@relay.example.org"]) as load:
        executioner.work(SECONDS)
    assert not load.refused
    assert len(load.accepted) > 10 * SECONDS, f"hardly any load: {len(load.accepted)}, broken {load.broken}"

    def arrived():
        ids = {identity_of(m) for m in postern.mailbox()} | {identity_of(d.message) for d in sink.deliveries}
        return not load.accepted.keys() - ids
    try:
        eventually(arrived, 60, every=0.2)
    except AssertionError:
        ids = {identity_of(m) for m in postern.mailbox()} | {identity_of(d.message) for d in sink.deliveries}
        lost = sorted(load.accepted.keys() - ids)
        raise AssertionError(f"{len(lost)} of {len(load.accepted)} accepted are lost after {executioner.kills}: "
                             f"{lost[:20]}; still waiting: {postern.waiting()[:5]}") from None
    postern.wait_until_empty(60)

    for message in postern.mailbox() + sink.messages:
        assert message.endswith(END), f"{identity_of(message)} is cut off"
    in_files = [identity_of(m) for m in postern.mailbox()]
    assert len(in_files) == len(set(in_files)), "a maildir delivery that is repeated replaces itself"
    copies = defaultdict(list)
    for d in sink.deliveries:
        copies[identity_of(d.message)].append(d)
    twice = {k: v for k, v in copies.items() if len(v) > 1}
    unexcused = {k: [(d.began, d.ended) for d in v] for k, v in twice.items()
                 if not all(executioner.excuses(d) for d in v[:-1])}
    print(f"{len(load.accepted)} accepted, {len(executioner.kills)} kills, {len(twice)} delivered twice, "
          f"{load.broken} connections broken")
    assert not unexcused, f"delivered twice without a reason: {unexcused}; kills {executioner.kills}"


@pytest.fixture
def watched(postern, place):
    """One inbound process and the store, every sync and every reply of theirs on record."""
    if not shutil.which("strace"):
        pytest.skip("strace is not installed")
    postern.inbound = 1
    postern.start()
    record = place / "log.strace"
    pids = [*postern.workers("store").values(), *postern.workers("inbound").values()]
    calls = "trace=fsync,fdatasync,write,writev,sendto,sendmsg"
    tracer = Process(["strace", "-f", "-ttt", "-T", "-s", "64", "-e", calls, "-o", record,
                      *[word for pid in pids for word in ("-p", str(pid))]], place / "log.tracer")
    eventually(lambda: tracer.text().count("attached") >= len(pids) or not tracer.alive(), 10, tracer.text)
    if not tracer.alive():
        pytest.skip(f"strace may not watch here: {tracer.text()[-200:]}")
    yield record
    tracer.stop()


def test_a_message_is_synced_before_250_is_said(postern, watched):
    # (P1), SMTP-049
    with Dialogue(postern.port) as client:
        client.hello()
        for n in range(5):
            client.envelope()
            client.expect(354, "DATA")
            asked = time.time()
            client.send(letter(identity=f"synced-{n}") + b".\r\n")
            assert client.reply().code == 250

            def said():
                calls = watched.read_text(errors="replace").splitlines()
                replies = [c for c in calls if "250 2.0.0 Queued" in c]
                return calls if len(replies) > n else None
            calls = eventually(said, 5, "the reply is on record")
            answered = max(float(c.split()[1]) for c in calls if "250 2.0.0 Queued" in c)
            syncs = [float(c.split()[1]) for c in calls if "sync" in c and "= 0 <" in c]
            assert any(asked < at < answered for at in syncs), f"asked {asked}, answered {answered}, synced {syncs}"


def test_a_session_outlives_the_store(postern):
    """The store dies and comes back; a client that was connected meanwhile is told 4yz at worst, and goes on."""
    postern.start()
    with Dialogue(postern.port) as client:
        client.hello()
        client.starttls()
        assert client.message(letter()).code == 250
        for name, pid in postern.workers("store").items():
            os.kill(pid, signal.SIGKILL)
            eventually(lambda: postern.workers("store").get(name) not in (None, pid), 10, "the store comes back")

        def taken():
            client.expect(250, "RSET")
            client.send("MAIL FROM:<alice@example.net>\r\nRCPT TO:<bob@example.org>\r\n")
            codes = [client.reply().code for _ in range(2)]
            if codes != [250, 250]:
                assert all(c // 100 in (2, 4) or c == 503 for c in codes), codes
                return False
            if client.command("DATA").code != 354:
                return False
            client.send(letter() + b".\r\n")
            code = client.reply().code
            assert code == 250 or code // 100 == 4
            return code == 250
        eventually(taken, 10, "the session is served again", every=0.2)
    postern.wait_for_mail(2)
