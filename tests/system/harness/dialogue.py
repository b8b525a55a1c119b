"""SMTP spoken by hand, byte by byte where it matters."""

import socket
import ssl
import struct
from dataclasses import dataclass, field

from .processes import LOOPBACK


@dataclass
class Reply:
    code: int
    lines: list = field(default_factory=list)

    @property
    def text(self):
        return "\n".join(self.lines)

    @property
    def status(self):
        """The enhanced status code, e.g. "5.7.1"."""
        return self.lines[-1].split(" ")[0] if self.lines and self.lines[-1] else ""

    def __str__(self):
        return f"{self.code} {self.text}"


class Closed(Exception):
    """The other side has gone."""


class Dialogue:
    """One connection to an SMTP server. `source` chooses our own address out of 127.0.0.0/8."""

    def __init__(self, port, address=LOOPBACK, source=None, implicit_tls=False, greet=True, seconds=20):
        self.socket = socket.create_connection((address, port), timeout=seconds,
                                               source_address=(source, 0) if source else None)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.unread = b""
        if implicit_tls:
            self.wrap()
        self.greeting = self.reply() if greet else None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # --- bytes ---------------------------------------------------------

    def send(self, data):
        self.socket.sendall(data.encode() if isinstance(data, str) else data)

    def line(self):
        while b"\n" not in self.unread:
            try:
                more = self.socket.recv(65536)
            except (ConnectionError, ssl.SSLError) as e:
                if isinstance(e, TimeoutError):
                    raise
                raise Closed(str(e)) from e
            if not more:
                raise Closed(f"end of stream, unread: {self.unread!r}")
            self.unread += more
        got, self.unread = self.unread.split(b"\n", 1)
        return got.rstrip(b"\r").decode(errors="replace")

    def reply(self):
        lines = []
        while True:
            line = self.line()
            lines.append(line[4:])
            if line[3:4] != "-":
                return Reply(int(line[:3]), lines)

    def is_closed(self, seconds=10):
        """True when the server ends the connection; whatever it still says is dropped."""
        self.socket.settimeout(seconds)
        try:
            while True:
                self.line()
        except (Closed, OSError) as e:
            return not isinstance(e, TimeoutError)

    def is_silent(self, seconds=0.5):
        """True when nothing comes for a while."""
        before = self.socket.gettimeout()
        self.socket.settimeout(seconds)
        try:
            self.line()
            return False
        except TimeoutError:
            return True
        except Closed:
            return True
        finally:
            self.socket.settimeout(before)

    # --- commands ------------------------------------------------------

    def command(self, text):
        self.send(text + "\r\n")
        return self.reply()

    def expect(self, code, text):
        got = self.command(text)
        assert got.code == code, f"{text!r} was answered {got}"
        return got

    def hello(self, name="client.example.net"):
        """EHLO; returns the keywords offered, upper case, without their parameters."""
        got = self.expect(250, f"EHLO {name}")
        return [line.split(" ")[0].upper() for line in got.lines[1:]]

    def wrap(self, server_name="mx.example.org", **settings):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        for name, value in settings.items():
            setattr(context, name, value)
        self.socket = context.wrap_socket(self.socket, server_hostname=server_name)
        self.unread = b""

    def starttls(self, **settings):
        self.expect(220, "STARTTLS")
        assert self.unread == b"", f"clear text behind the go-ahead: {self.unread!r}"
        self.wrap(**settings)
        return self.hello()

    def certificate(self):
        return self.socket.getpeercert(binary_form=True)

    def envelope(self, sender="alice@example.net", *recipients):
        self.expect(250, f"MAIL FROM:<{sender}>")
        for r in recipients or ("bob@example.org",):
            self.expect(250, f"RCPT TO:<{r}>")

    def message(self, message, sender="alice@example.net", *recipients):
        """A whole transaction; returns the final reply."""
        self.envelope(sender, *recipients)
        self.expect(354, "DATA")
        self.send(stuffed(message) + b".\r\n")
        return self.reply()

    def reset_connection(self):
        """Go away with a TCP reset, as a crashed client would."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def close(self):
        self.socket.close()


def stuffed(message):
    """Dot-stuffed and ending in CRLF, ready for the final dot."""
    out = message.replace(b"\r\n.", b"\r\n..")
    if out.startswith(b"."):
        out = b"." + out
    return out if out.endswith(b"\r\n") else out + b"\r\n"
