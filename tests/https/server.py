"""Policy hosts good and bad, on loopback.

    server.py FOLDER

makes a CA (FOLDER/ca.pem) and certificates, then prints one line: the port of TLS (on 127.0.0.1 and ::1), of TLS 1.1, and
of plain HTTP. The name asked for by SNI chooses the certificate, the path what the host does with the request."""

import datetime
import gzip
import hashlib
import ipaddress
import re
import socket
import ssl
import sys
import threading
import time
import warnings
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

FOLDER = Path(sys.argv[1])
DAY = datetime.timedelta(days=1)
NOW = datetime.datetime.now(datetime.timezone.utc)
POLICY = b"version: STSv1\r\nmode: enforce\r\nmx: mx.example.org\r\nmax_age: 86400\r\n"


# --- certificates

class Issuer:
    def __init__(self, name, issuer=None):
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = common_name(name)
        self.certificate = sign(self.name, self.key, issuer or self,
                                x509.BasicConstraints(ca=True, path_length=None))


def common_name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def sign(subject, key, issuer, basic, names=(), since=-2, until=30, usage=None):
    builder = (x509.CertificateBuilder().subject_name(subject).issuer_name(issuer.name).public_key(key.public_key())
               .serial_number(x509.random_serial_number()).not_valid_before(NOW + since * DAY)
               .not_valid_after(NOW + until * DAY).add_extension(basic, critical=True))
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    if usage:
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    return builder.sign(issuer.key, hashes.SHA256())


def pem(*certificates):
    return b"".join(c.public_bytes(serialization.Encoding.PEM) for c in certificates)


def context(file, issuer, names, cn="", chain=(), **about):
    """A server's TLS context with a new certificate; `issuer` None makes it its own."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = common_name(cn) if cn else x509.Name([])
    signer = issuer or type("Self", (), {"name": subject, "key": key})
    leaf = sign(subject, key, signer, x509.BasicConstraints(ca=False, path_length=None), names, **about)
    path = FOLDER / f"{file}.pem"
    path.write_bytes(pem(leaf, *chain) + key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(path)
    made.set_alpn_protocols(["h2", "http/1.1"])
    return made


def make_contexts():
    ca, stranger = Issuer("Test CA"), Issuer("CA of nobody")
    between = Issuer("Intermediate CA", ca)
    (FOLDER / "ca.pem").write_bytes(pem(ca.certificate))
    (FOLDER / "empty.pem").write_bytes(b"nothing\n")
    dns = x509.DNSName

    def one(name, **about):
        return context(name, ca, [dns(name)], **about)

    wild = context("wild", ca, [dns("*.wild.test")])
    return {
        "good.test": one("good.test"),
        "upper.test": context("upper.test", ca, [dns("UPPER.TEST")]),
        "chain.test": context("chain.test", between, [dns("chain.test")], chain=[between.certificate]),
        "gap.test": context("gap.test", between, [dns("gap.test")]),
        "a.wild.test": wild,
        "a.b.wild.test": wild,
        "wild.test": wild,
        "self.test": context("self.test", None, [dns("self.test")]),
        "stranger.test": context("stranger.test", stranger, [dns("stranger.test")], chain=[stranger.certificate]),
        "expired.test": one("expired.test", until=-1),
        "early.test": one("early.test", since=1),
        "other.test": context("other.test", ca, [dns("mta-sts.example.net"), dns("www.example.net")], cn="other.test"),
        "cn.test": context("cn.test", ca, (), cn="cn.test"),
        "mail.test": context("mail.test", ca, [x509.RFC822Name("x@mail.test")], cn="mail.test"),
        "address.test": context("address.test", ca, [x509.IPAddress(ipaddress.ip_address("127.0.0.1"))],
                                cn="address.test"),
        "part.partial.test": context("partial", ca, [dns("p*.partial.test")]),
        "star.test": context("star", ca, [dns("*.test")]),
        "nul.test": context("nul", ca, [dns("nul.test\0.example.net")]),
        "client.test": one("client.test", usage=ExtendedKeyUsageOID.CLIENT_AUTH),
    }


# --- what a host does

def head(status="200 OK", *fields):
    lines = [f"HTTP/1.1 {status}", *fields]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


def document(body, *fields, status="200 OK"):
    return head(status, f"Content-Length: {len(body)}", *fields) + body


def chunk(data):
    return b"%x\r\n%s\r\n" % (len(data), data)


def for_ever(c, data, pause=0.0):
    while True:
        c.sendall(data)
        time.sleep(pause)


def good(c, asked):
    c.sendall(document(POLICY, "Content-Type: Text/Plain; charset=\"UTF-8\"", "Cache-Control: max-age=600",
                       "ETag: \"1\"", "Set-Cookie: a=b", "Strict-Transport-Security: max-age=9999",
                       "Alt-Svc: h3=\":1\""))


def echo(c, asked):
    """What was asked, with facts of TLS in front."""
    facts = (f"SNI {c.asked_name} ALPN {c.selected_alpn_protocol()} {c.version()} reused {c.session_reused}\n"
             if isinstance(c, Wire) else "in clear\n")
    if asked.startswith(b"POST"):
        asked = asked.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" + rest_of(c, asked)
    c.sendall(document(facts.encode() + asked))


def status(c, asked):
    code = int(asked.split()[1].rpartition(b"/")[2])
    if asked.startswith(b"POST"):
        rest_of(c, asked)
    fields = ["Location: https://good.test/good", "WWW-Authenticate: Basic realm=x"]
    if code in (101, 103, 204, 304):
        c.sendall(head(f"{code} Said", *fields, *(["Upgrade: x", "Connection: Upgrade"] if code == 101 else [])))
    else:
        c.sendall(document(b"said", *fields, status=f"{code} Said"))


def rest_of(c, asked):
    """The document that is posted; what came of it with the header is in `asked`."""
    header, _, body = asked.partition(b"\r\n\r\n")
    length = int(re.search(rb"(?i)\ncontent-length: (\d+)", header)[1])
    while len(body) < length and (more := c.recv(65536)):
        body += more
    return body


def digest(c, asked):
    body = rest_of(c, asked)
    c.sendall(document(f"{len(body)} {hashlib.sha256(body).hexdigest()}".encode()))


def hasty(c, asked):
    """Answers before it has read anything, and leaves."""
    c.sendall(document(b"too large", "Connection: close", status="413 Content Too Large"))
    time.sleep(0.3)


def size(c, asked):
    count = int(asked.split()[1].rpartition(b"/")[2])
    if b"chunked" in asked.split()[1]:
        c.sendall(head("200 OK", "Transfer-Encoding: chunked") + chunk(b"x" * count) + b"0\r\n\r\n")
    elif b"open" in asked.split()[1]:
        c.sendall(head("200 OK") + b"x" * count)
    else:
        c.sendall(document(b"x" * count))


def chunked(c, asked):
    c.sendall(head("103 Early Hints", "Content-Type: text/html") + head("100 Continue")
              + head("200 OK", "Transfer-Encoding: Chunked", "Content-Type: text/html", "Content-Type: text/plain",
                     "Trailer: Content-Type") + chunk(POLICY[:10]) + chunk(POLICY[10:])
              + b"0\r\nContent-Type: text/evil\r\n\r\n")


def slow(c, asked):
    global together, most_together
    with lock:
        together += 1
        most_together = max(most_together, together)
    time.sleep(0.1)
    with lock:
        together -= 1
    c.sendall(document(b"slow"))


def peak(c, asked):
    global most_together
    c.sendall(document(b"%d" % most_together))
    most_together = 0


def tear(c, asked):
    """The end comes without TLS's close_notify."""
    c.sendall(head("200 OK") + b"mode: no")
    c.torn = True


lock = threading.Lock()
together = most_together = 0
HOSTS = {
    "good": good,
    "echo": echo,
    "status": status,
    "digest": digest,
    "hasty": hasty,
    "deaf": lambda c, a: time.sleep(60),
    "size": size, "size-chunked": size, "size-open": size,
    "chunked": chunked,
    "slow": slow,
    "peak": peak,
    "torn": tear,
    "early": lambda c, a: c.sendall(document(b"", "Content-Type: text/plain", status="200")),
    "http10": lambda c, a: c.sendall(b"HTTP/1.0 200 OK\r\n\r\nold"),
    "http09": lambda c, a: c.sendall(b"mode: enforce\r\n"),
    "nothing": lambda c, a: None,
    "drip": lambda c, a: (c.sendall(head("200 OK")), for_ever(c, b"x", 0.05)),
    "drip-header": lambda c, a: (c.sendall(b"HTTP/1.1 200 OK\r\nX: "), for_ever(c, b"x", 0.05)),
    "stall": lambda c, a: time.sleep(60),
    "stall-header": lambda c, a: (c.sendall(b"HTTP/1.1 200 OK\r\nX: y\r\n"), time.sleep(60)),
    "stall-body": lambda c, a: (c.sendall(head("200 OK", "Content-Length: 10") + b"abc"), time.sleep(60)),
    "endless": lambda c, a: (c.sendall(head("200 OK", "Transfer-Encoding: chunked")), for_ever(c, chunk(b"y" * 4000))),
    "endless-tiny": lambda c, a: (c.sendall(head("200 OK", "Transfer-Encoding: chunked")), for_ever(c, chunk(b"y") * 99)),
    "endless-extension": lambda c, a: (c.sendall(head("200 OK", "Transfer-Encoding: chunked") + b"1;"),
                                       for_ever(c, b"e" * 4000)),
    "endless-trailer": lambda c, a: (c.sendall(head("200 OK", "Transfer-Encoding: chunked") + b"0\r\n"),
                                     for_ever(c, b"X: y\r\n" * 100)),
    "bad-chunk": lambda c, a: c.sendall(head("200 OK", "Transfer-Encoding: chunked") + b"zz\r\nab\r\n0\r\n\r\n"),
    "short": lambda c, a: c.sendall(head("200 OK", "Content-Length: 100") + b"mode: enforce"),
    "short-chunked": lambda c, a: c.sendall(head("200 OK", "Transfer-Encoding: chunked") + chunk(b"mode: enforce")),
    "gzip": lambda c, a: c.sendall(document(gzip.compress(POLICY), "Content-Encoding: gzip")),
    "identity": lambda c, a: c.sendall(document(POLICY, "Content-Encoding: identity")),
    "transfer-gzip": lambda c, a: c.sendall(head("200 OK", "Transfer-Encoding: gzip, chunked")
                                            + chunk(gzip.compress(b"z" * 10_000_000)) + b"0\r\n\r\n"),
    "flood": lambda c, a: (c.sendall(b"HTTP/1.1 200 OK\r\n"), for_ever(c, b"X-Field: some value\r\n" * 20)),
    "flood-interim": lambda c, a: for_ever(c, head("103 Early Hints", "Link: <x>")),
    "long-line": lambda c, a: (c.sendall(b"HTTP/1.1 200 OK\r\nX: "), for_ever(c, b"x" * 1000)),
    "big-header": lambda c, a: c.sendall(document(b"fits", "X: " + "x" * 15_000)),
}


# --- serving

def serve(raw, tls):
    try:
        c = tls.wrap_socket(raw, server_side=True) if tls else raw
        asked = b"" if tls else c.recv(4096)
        if not tls and not asked.startswith(b"POST"):
            c.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            c.close()
            return
        while b"\r\n\r\n" not in asked and (more := c.recv(4096)):
            asked += more
        if asked:
            HOSTS[asked.split()[1].split(b"/")[1].decode()](c, asked)
        if tls and not hasattr(c, "torn"):
            c.unwrap()
        c.close()
    except (OSError, ValueError):
        raw.close()


class Wire(ssl.SSLSocket):
    """Keeps what SNI asked for, and may end in an odd way."""
    asked_name = None


def choose(contexts):
    def by_name(wire, name, _):
        wire.asked_name = name
        if name in contexts:
            wire.context = contexts[name]
    return by_name


def listen(tls, port=0, family=socket.AF_INET, host="127.0.0.1"):
    listener = socket.create_server((host, port), family=family, backlog=256)

    def accept():
        while True:
            threading.Thread(target=serve, args=(listener.accept()[0], tls), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    return listener.getsockname()[1]


def main():
    contexts = make_contexts()
    first = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    first.sslsocket_class = Wire
    first.load_cert_chain(FOLDER / "good.test.pem")
    first.sni_callback = choose(contexts)
    first.set_alpn_protocols(["h2", "http/1.1"])
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    old.load_cert_chain(FOLDER / "good.test.pem")
    old.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")         # that nobody should speak TLS 1.1 is what it is for
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    port = listen(first)
    try:
        listen(first, port, socket.AF_INET6, "::1")
    except OSError:
        pass
    print(port, listen(old), listen(None), flush=True)
    threading.Event().wait()


main()
