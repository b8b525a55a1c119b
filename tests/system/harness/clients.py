"""Real mail clients, each as a function: client(port, file, recipient, implicit_tls).

The file holds the message with CRLF. TLS is demanded from every one of them,
and none checks the certificate, for the address is 127.0.0.1."""

import shutil
import smtplib
import ssl
import subprocess
import time

import pytest

from .dialogue import stuffed
from .processes import run

SENDER = "alice@example.net"


def _need(program):
    if not shutil.which(program):
        pytest.skip(f"{program} is not installed")


def _well(done):
    assert done.returncode == 0, f"{done.args}: {done.returncode}\n{done.stdout}\n{done.stderr}"


def swaks(port, file, recipient, implicit_tls=False):
    _need("swaks")
    text = file.with_suffix(".swaks")
    text.write_bytes(file.read_bytes()[:-2])        # it adds a line end of its own
    _well(run(["swaks", "--server", "127.0.0.1", "--port", port, "--from", SENDER, "--to", recipient,
               "--helo", "client.example.net", "--tls-on-connect" if implicit_tls else "--tls", "--data", f"@{text}"]))


def curl(port, file, recipient, implicit_tls=False):
    _need("curl")
    scheme = "smtps" if implicit_tls else "smtp"
    _well(run(["curl", "--silent", "--show-error", "--ssl-reqd", "--insecure",
               "--url", f"{scheme}://127.0.0.1:{port}/client.example.net", "--mail-from", SENDER,
               "--mail-rcpt", recipient, "--upload-file", file]))


def msmtp(port, file, recipient, implicit_tls=False):
    _need("msmtp")
    with open(file, "rb") as message:
        _well(run(["msmtp", "--file=/dev/null", "--host=127.0.0.1", f"--port={port}",
                   "--tls=on", "--tls-certcheck=off", f"--tls-starttls={'off' if implicit_tls else 'on'}",
                   f"--from={SENDER}", "--domain=client.example.net", "--", recipient], stdin=message))


def python_smtplib(port, file, recipient, implicit_tls=False):
    context = ssl._create_unverified_context()
    make = smtplib.SMTP_SSL if implicit_tls else smtplib.SMTP
    with make("127.0.0.1", port, timeout=20, **({"context": context} if implicit_tls else {})) as client:
        if not implicit_tls:
            client.starttls(context=context)
        client.sendmail(SENDER, [recipient], file.read_bytes())


def openssl_s_client(port, file, recipient, implicit_tls=False):
    """A dialogue typed by hand, waiting for each answer."""
    _need("openssl")
    typed = subprocess.Popen(["openssl", "s_client", "-quiet", "-connect", f"127.0.0.1:{port}",
                              *([] if implicit_tls else ["-starttls", "smtp"])],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)

    def say(text, expect):
        typed.stdin.write(text)
        typed.stdin.flush()
        heard, until = b"", time.monotonic() + 15
        while time.monotonic() < until and (line := typed.stdout.readline()):
            heard += line
            if line[3:4] == b" " and line[:3].isdigit():
                assert line.startswith(expect), f"{text!r}: {heard!r}"
                return
        raise AssertionError(f"{text!r} was never answered: {heard!r}")

    if implicit_tls:        # else it swallows the greeting
        say(b"", b"220")
    say(b"EHLO client.example.net\r\n", b"250")
    say(f"MAIL FROM:<{SENDER}>\r\n".encode(), b"250")
    say(f"RCPT TO:<{recipient}>\r\n".encode(), b"250")
    say(b"DATA\r\n", b"354")
    say(stuffed(file.read_bytes()) + b".\r\n", b"250")
    say(b"QUIT\r\n", b"221")
    typed.wait(10)


ALL = [swaks, curl, msmtp, python_smtplib, openssl_s_client]
