"""A mail server that does what a test tells it: polite, broken or hostile.

Each session is a straight-line dialogue in a thread of its own. What it got is
kept byte for byte, with the envelope and the facts of TLS.

    sink = Sink(certificate)
    sink.answer("RCPT", "550 5.1.1 nobody here", only="carol@")
    sink.starttls = "refused"
"""

import socket
import ssl
import struct
import threading
import time
from dataclasses import dataclass, field

from .processes import eventually

HANG_UP = "hang up"         # close without a word
SILENCE = "silence"         # never answer


@dataclass
class Delivery:
    """One message, whole, with its envelope."""
    sender: str
    recipients: list
    message: bytes = b""
    raw: bytes = b""            # as on the wire, dots stuffed, without the final dot
    parameters: str = ""        # of MAIL
    session: object = None
    began: float = 0.0          # time.time() of MAIL
    ended: float = 0.0          # of the final reply

    @property
    def tls(self):
        return self.session.tls


@dataclass
class Rule:
    stage: str
    reply: str
    only: str = ""
    times: int = 1_000_000


@dataclass
class Session:
    """What happened on one connection."""
    began: float
    peer: tuple
    commands: list = field(default_factory=list)        # (command line, under TLS?)
    helo: str = ""
    tls: dict = None                                    # version, cipher, server_name; None in clear
    handshake_error: str = ""
    spoke_too_early: bytes = b""                        # bytes that came behind STARTTLS
    open: bool = True

    @property
    def verbs(self):
        return [line.split(" ")[0].upper() for line, _ in self.commands]


class Ended(Exception):
    """This session is over."""


class Sink:
    def __init__(self, certificate=None, name="sink.example.net", address="127.0.0.2", port=0):
        self.name = name
        self.starttls = "offered" if certificate else "absent"
        # offered, absent, refused, injected, garbage, hang-up, stalled, implicit
        self.extensions = ["PIPELINING", "8BITMIME", "ENHANCEDSTATUSCODES", "SIZE 52428800"]
        self.tls_minimum, self.tls_maximum = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.MAXIMUM_SUPPORTED
        self.tls_ciphers = None
        self.rules = []
        self.pause = 0.0                # before every reply
        self.deliveries = []
        self.sessions = []
        self.certificate = certificate
        self._listener = socket.create_server((address, port), backlog=512)
        self.address, self.port = self._listener.getsockname()
        threading.Thread(target=self._accept, daemon=True).start()

    # --- what the test says ---------------------------------------------

    def answer(self, stage, reply, only="", times=1_000_000):
        """Answer a stage (CONNECT EHLO HELO STARTTLS MAIL RCPT DATA BODY END RSET QUIT) with `reply`,
        HANG_UP or SILENCE; `only` when the line contains this text; so many `times`."""
        self.rules.append(Rule(stage, reply, only, times))

    def behave(self):
        """Forget all rules."""
        self.rules.clear()

    def close(self):
        self._listener.close()

    # --- what the test asks ---------------------------------------------

    @property
    def messages(self):
        return [d.message for d in self.deliveries]

    def wait(self, count=1, seconds=15):
        """The deliveries, once there are `count` of them."""
        eventually(lambda: len(self.deliveries) >= count, seconds,
                   lambda: f"{count} deliveries to {self.name}; it has {len(self.deliveries)} in "
                           f"{len(self.sessions)} sessions: {[s.commands for s in self.sessions[-3:]]}")
        return list(self.deliveries)

    def wait_for_session(self, count=1, seconds=15):
        eventually(lambda: len(self.sessions) >= count, seconds, f"{count} sessions with {self.name}")
        return list(self.sessions)

    def said_in_clear(self):
        """Verbs that came in clear, over all sessions."""
        return [line.split(" ")[0].upper() for s in self.sessions for line, secret in s.commands if not secret]

    # --- the dialogue ----------------------------------------------------

    def _accept(self):
        while True:
            try:
                conn, peer = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._run, args=(conn, peer), daemon=True).start()

    def _run(self, conn, peer):
        session = Session(time.time(), peer)
        self.sessions.append(session)
        talk = Talk(self, session, conn)
        try:
            talk.converse()
        except (Ended, OSError):
            pass
        finally:
            session.open = False
            talk.close()

    def rule_for(self, stage, line):
        for rule in self.rules:
            if rule.stage == stage and rule.only.lower() in line.lower() and rule.times > 0:
                rule.times -= 1
                return rule.reply
        return None


class Talk:
    """The server's side of one connection."""

    def __init__(self, sink, session, conn):
        self.sink, self.session, self.conn = sink, session, conn
        conn.settimeout(120)
        conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.unread = b""
        self.held = b""             # replies not yet sent, while input waits (RFC 2920)
        self.mail = None

    # --- bytes ---

    def fill(self):
        self.flush()
        more = self.conn.recv(65536)
        if not more:
            raise Ended()
        self.unread += more

    def line(self):
        while b"\r\n" not in self.unread:
            self.fill()
        got, self.unread = self.unread.split(b"\r\n", 1)
        return got.decode("latin-1")

    def flush(self):
        if self.held:
            out, self.held = self.held, b""
            self.conn.sendall(out)

    def say(self, text):
        if self.sink.pause:
            self.flush()
            time.sleep(self.sink.pause)
        self.held += text.encode("latin-1") + b"\r\n"

    def respond(self, stage, line, usual):
        """Say what the test wants here, else the usual; returns the code."""
        text = self.sink.rule_for(stage, line) or usual
        if text == HANG_UP:
            self.flush()
            self.hang_up()
        if text == SILENCE:
            self.flush()
            while self.conn.recv(65536):
                pass
            raise Ended()
        self.say(text)
        if text.startswith("421"):
            self.flush()
            raise Ended()
        return int(text[:3])

    def hang_up(self):
        """A reset, so that nothing is mistaken for an orderly end."""
        self.conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise Ended()

    def close(self):
        try:
            self.conn.close()
        except OSError:
            pass

    # --- SMTP ---

    def converse(self):
        if self.sink.starttls == "implicit":
            self.handshake()
        self.respond("CONNECT", "", f"220 {self.sink.name} ESMTP sink")
        while True:
            line = self.line()
            self.session.commands.append((line, self.session.tls is not None))
            verb = line.split(" ")[0].upper()
            act = getattr(self, "do_" + verb.lower(), None)
            if act:
                act(line)
            else:
                self.respond(verb, line, "500 5.5.1 what?")

    def do_ehlo(self, line):
        self.mail = None
        self.session.helo = line[5:]
        words = list(self.sink.extensions)
        if self.sink.starttls not in ("absent", "implicit") and not self.session.tls:
            words.append("STARTTLS")
        lines = [self.sink.name] + words
        self.respond("EHLO", line, "\r\n".join(
            ("250-" if n < len(lines) - 1 else "250 ") + word for n, word in enumerate(lines)))

    def do_helo(self, line):
        self.mail = None
        self.session.helo = line[5:]
        self.respond("HELO", line, f"250 {self.sink.name}")

    def do_starttls(self, line):
        mode = self.sink.starttls
        self.session.spoke_too_early = self.unread
        if mode in ("absent", "refused"):
            self.respond("STARTTLS", line, "454 4.7.0 not now")
            return
        if mode == "injected":      # the go-ahead and a forged answer, in one segment
            self.conn.sendall(b"220 2.0.0 go\r\n250 2.0.0 injected\r\n")
            self.handshake()
            return
        if self.respond("STARTTLS", line, "220 2.0.0 go") != 220:
            return
        self.flush()
        if mode == "hang-up":
            self.hang_up()
        if mode == "stalled":
            while self.conn.recv(65536):
                pass
            raise Ended()
        if mode == "garbage":
            self.conn.recv(65536)
            self.conn.sendall(b"250 this is no TLS record at all\r\n" * 4)
            raise Ended()
        self.handshake()

    def handshake(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version, context.maximum_version = self.sink.tls_minimum, self.sink.tls_maximum
        if self.sink.tls_ciphers:
            context.set_ciphers(self.sink.tls_ciphers)
        context.load_cert_chain(self.sink.certificate.chain, self.sink.certificate.key)
        names = []
        context.sni_callback = lambda _, name, __: names.append(name)
        try:
            self.conn = context.wrap_socket(self.conn, server_side=True)
        except (ssl.SSLError, OSError) as e:
            self.session.handshake_error = str(e)
            raise Ended() from e
        self.unread = b""
        self.session.tls = {"version": self.conn.version(), "cipher": self.conn.cipher()[0],
                            "server_name": names[0] if names else None}

    def do_mail(self, line):
        if self.respond("MAIL", line, "250 2.1.0 ok") == 250:
            path, _, parameters = line[10:].partition(">")
            self.mail = Delivery(path.lstrip("<"), [], parameters=parameters.strip(), session=self.session,
                                 began=time.time())

    def do_rcpt(self, line):
        code = self.respond("RCPT", line, "250 2.1.5 ok" if self.mail else "503 5.5.1 no MAIL")
        if code // 100 == 2:
            self.mail.recipients.append(line[8:].partition(">")[0].lstrip("<"))

    def do_data(self, line):
        ready = self.mail and self.mail.recipients
        if self.respond("DATA", line, "354 go on" if ready else "554 5.5.1 no recipients") != 354:
            return
        self.flush()
        mail = self.mail or Delivery("", [])
        mail.raw = self.read_body()
        mail.message = unstuffed(mail.raw)
        code = self.respond("END", "", "250 2.0.0 taken" if ready else "554 5.5.1 no recipients")
        mail.ended = time.time()
        if code == 250 and ready:
            self.sink.deliveries.append(mail)
        self.mail = None

    def read_body(self):
        if self.sink.rule_for("BODY", "") == HANG_UP:
            self.conn.recv(1000)
            self.hang_up()
        pieces = bytearray(b"\r\n" + self.unread)
        self.unread = b""
        searched = 0
        while (end := pieces.find(b"\r\n.\r\n", searched)) < 0:
            searched = max(0, len(pieces) - 4)
            more = self.conn.recv(262144)
            if not more:
                raise Ended()
            pieces += more
        self.unread = bytes(pieces[end + 5:])
        return bytes(pieces[2:end + 2])

    def do_rset(self, line):
        self.mail = None
        self.respond("RSET", line, "250 2.0.0 ok")

    def do_noop(self, line):
        self.respond("NOOP", line, "250 2.0.0 ok")

    def do_quit(self, line):
        self.respond("QUIT", line, "221 2.0.0 bye")
        self.flush()
        raise Ended()


def unstuffed(raw):
    out = raw.replace(b"\r\n.", b"\r\n")
    return out[1:] if out.startswith(b".") else out
