"""DKIM beside programs that are not ours: each verifies what we sign, and we verify what they sign.

dkimpy (Python; Ed25519 by libsodium) and OpenDKIM (C), with RSA and Ed25519 keys and every canonical form. They sign and
verify by dkim_tool, which has the room src/dkim to itself: no DNS, keys by argument."""

import base64
import re
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from harness.postern import tool
from harness.processes import run

DOMAIN, SELECTOR = "example.org", "sel"
NAME = f"{SELECTOR}._domainkey.{DOMAIN}"
KINDS = ["rsa", "ed25519"]
FORMS = ["simple/simple", "simple/relaxed", "relaxed/simple", "relaxed/relaxed"]
HEADER = "From: Alice <alice@example.org>\nTo: bob@example.net\nSubject: hello\nDate: Fri, 11 Jul 2003 21:00:37 -0700\n"

MESSAGES = {
    "ordinary": HEADER + "Message-ID: <1@example.org>\n\nHello,\n\nthis is it.\n",
    "folds": HEADER.replace("hello", "a\n  long\n\tstory ") + "Content-Type: text/plain;\n\tcharset=utf-8\n\nx\n",
    "blanks": HEADER.replace("Subject: ", "SUBJECT:\t \t") + "\n  a  b\tc \t\n\t\nd \n",
    "empty_lines": HEADER + "\n\n\nx\n\n\n\ny\n\n\n\n",
    "no_body": HEADER + "\n",
    "only_empty_lines": HEADER + "\n\n\n\n",
    "eight_bit": HEADER.replace("hello", "gr\u00fc\u00df dich") + "\nsch\u00f6n\n",
    "repeated": HEADER + "References: <1@x>\nReply-To: a@example.org\nReceived: from a\nReceived: from b\n\nx\n",
    "dots_and_long_lines": HEADER + "\n.\n..\n" + "word " * 190 + "\n",
    "large": HEADER + "\n" + "A line like many others, with  some blanks \n" * 20000,
    "report": HEADER + "TLS-Report-Domain: example.net\nTLS-Report-Submitter: example.org\nTLS-Required: No\n"
                       "MIME-Version: 1.0\nContent-Transfer-Encoding: 7bit\n\nx\n",
}


def pipe(message, *arguments):
    """Bytes in, bytes out; harness.run is for text."""
    return subprocess.run([str(a) for a in arguments], input=message, capture_output=True, timeout=60, check=False)


def as_sent(text):
    return text.replace("\n", "\r\n").encode()


def dkim_tool():
    return tool("tests/dkim/dkim_tool")


@dataclass
class Key:
    kind: str
    file: Path
    seed: bytes             # what dkimpy wants for Ed25519
    published: str = ""

    def record(self, tags=""):
        if not self.published:
            said = run([dkim_tool(), "publish", self.file])
            assert said.returncode == 0, said.stderr
            self.published = said.stdout.strip()
        return f"v=DKIM1; k={self.kind}; {tags}p={self.published}"


@pytest.fixture(scope="module", params=KINDS)
def key(request, shared_place):
    made = rsa.generate_private_key(65537, 2048) if request.param == "rsa" else ed25519.Ed25519PrivateKey.generate()
    file = shared_place / f"{request.param}.pem"
    file.write_bytes(made.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                        serialization.NoEncryption()))
    file.chmod(0o600)
    seed = b"" if request.param == "rsa" else base64.b64encode(made.private_bytes(
        serialization.Encoding.Raw, serialization.PrivateFormat.Raw, serialization.NoEncryption()))
    return Key(request.param, file, seed)


@pytest.fixture(params=MESSAGES)
def message(request):
    return as_sent(MESSAGES[request.param])


def we_sign(key, message):
    signed = pipe(message, dkim_tool(), "sign", DOMAIN, SELECTOR, key.file, int(time.time()))
    assert signed.returncode == 0, signed.stderr
    assert signed.stdout.endswith(message)
    return signed.stdout


def we_verify(message, record, service="email"):
    """[(verdict, domain, selector, words)]"""
    said = pipe(message, dkim_tool(), "verify", service, int(time.time()), NAME, record)
    assert said.returncode == 0, said.stderr
    return [tuple(line.split("\t")) for line in said.stdout.decode().splitlines()]


def changed(message):
    """Each with one thing changed that is signed."""
    header, _, body = message.partition(b"\r\n\r\n")
    yield header + b"\r\n\r\n" + body + b"more\r\n"
    yield message.replace(b"alice@", b"alize@")
    yield message.replace(b"2003 21:", b"2003 22:")


# --- dkimpy --------------------------------------------------------------------------


def need_dkimpy():
    return pytest.importorskip("dkim", reason="python3-dkim is not installed")


def dkimpy_verifies(message, record, **settings):
    dkim = need_dkimpy()

    def text(name, timeout=0):
        return record.encode() if name.decode().rstrip(".") == NAME else None

    return dkim.verify(message, dnsfunc=text, **settings)


def test_dkimpy_verifies_what_we_sign(key, message):
    assert dkimpy_verifies(we_sign(key, message), key.record())


def test_dkimpy_verifies_our_reports_with_a_key_for_reports(key):
    """TLSRPT-076: s=tlsrpt in the key, the two fields in h="""
    signed = we_sign(key, as_sent(MESSAGES["report"]))
    fields = re.sub(rb"\s", b"", re.search(rb"h=([^;]+);", signed)[1]).split(b":")
    assert {b"TLS-Report-Domain", b"TLS-Report-Submitter"} <= set(fields)
    assert dkimpy_verifies(signed, key.record("s=tlsrpt; "), tlsrpt="strict")
    assert we_verify(signed, key.record("s=tlsrpt; "), "tlsrpt")[0][0] == "pass"
    assert we_verify(signed, key.record("s=tlsrpt; "))[0][0] == "no-key"


def test_dkimpy_refuses_ours_when_changed(key):
    for message in changed(we_sign(key, as_sent(MESSAGES["ordinary"]))):
        assert not dkimpy_verifies(message, key.record())


@pytest.mark.parametrize("form", FORMS)
def test_we_verify_what_dkimpy_signs(key, message, form):
    dkim = need_dkimpy()
    field = dkim.sign(message, SELECTOR.encode(), DOMAIN.encode(), key.seed or key.file.read_bytes(),
                      canonicalize=tuple(form.encode().split(b"/")), signature_algorithm=f"{key.kind}-sha256".encode())
    assert we_verify(field + message, key.record()) == [("pass", DOMAIN, SELECTOR, "")]
    for other in changed(field + message):
        assert we_verify(other, key.record())[0][0] == "fail"


# --- OpenDKIM ---------------------------------------------------------------------------


def need_opendkim():
    for path in ("opendkim", "/usr/sbin/opendkim"):
        if shutil.which(path):
            return path
    return pytest.skip("opendkim is not installed")


def opendkim(place, message, **settings):
    """What it says in its test mode."""
    program_of_others = need_opendkim()
    file, conf = place / "message", place / "opendkim.conf"
    file.write_bytes(message)
    conf.write_text("".join(f"{name} {value}\n" for name, value in {"Syslog": "no", **settings}.items()))
    ended = run([program_of_others, "-x", conf, "-t", file, "-v", "-v"])
    return ended.stdout


def opendkim_verifies(place, message, record):
    keys = place / "keys"
    keys.write_text(f"{NAME} {record}\n")
    said = opendkim(place, message, Mode="v", TestPublicKeys=keys)
    assert "dkim=" in said, said
    return "dkim=pass" in said


def test_opendkim_verifies_what_we_sign(place, key, message):
    assert opendkim_verifies(place, we_sign(key, message), key.record())


def test_opendkim_refuses_ours_when_changed(place, key):
    for message in changed(we_sign(key, as_sent(MESSAGES["ordinary"]))):
        assert not opendkim_verifies(place, message, key.record())


@pytest.mark.parametrize("form", FORMS)
def test_we_verify_what_opendkim_signs(place, key, message, form):
    said = opendkim(place, message, Mode="s", Domain=DOMAIN, Selector=SELECTOR, KeyFile=key.file, Canonicalization=form,
                    SignatureAlgorithm=f"{key.kind}-sha256", InternalHosts="0.0.0.0/0", RequireSafeKeys="no")
    field = re.search(r"hname='DKIM-Signature' hvalue='([^']*)'", said)
    assert field, said
    signed = as_sent(f"DKIM-Signature: {field[1]}\n") + message
    if form.startswith("simple/") and (key.kind == "ed25519" or b"SUBJECT:\t" in message):
        # OpenDKIM 2.11 signs something else with Ed25519 then (nobody verifies it, not even itself), and its test mode
        # forgets the blanks behind a colon.
        assert we_verify(signed, key.record())[0][0] == "fail" and not dkimpy_verifies(signed, key.record())
        return
    assert we_verify(signed, key.record()) == [("pass", DOMAIN, SELECTOR, "")]


@pytest.mark.parametrize("key", ["rsa"], indirect=True)
def test_we_refuse_the_sha1_that_opendkim_testmsg_still_signs_with(key):
    """RFC 8301 3.1"""
    testmsg = shutil.which("opendkim-testmsg") or shutil.which("/usr/sbin/opendkim-testmsg")
    if not testmsg:
        pytest.skip("opendkim-testmsg (opendkim-tools) is not installed")
    signed = pipe(as_sent(MESSAGES["ordinary"]), testmsg, "-C", "-d", DOMAIN, "-s", SELECTOR, "-k", key.file).stdout
    assert b"a=rsa-sha1" in signed
    verdict, domain, selector, words = we_verify(signed, key.record())[0]
    assert (verdict, domain, selector) == ("invalid", DOMAIN, SELECTOR) and "RFC 8301" in words
