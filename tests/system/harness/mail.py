"""Messages to send, and what to compare them with when they arrive."""

import itertools
import os
import re

_number = itertools.count(1)


def letter(subject="a letter", body="Hello.\r\n", identity=None, sender="alice@example.net", to="bob@example.org"):
    """An ordinary message, as bytes with CRLF; each has a Message-ID of its own."""
    identity = identity or f"{os.getpid()}.{next(_number)}"
    head = (f"From: <{sender}>\r\nTo: <{to}>\r\nSubject: {subject}\r\n"
            f"Date: Mon, 02 Jan 2023 15:04:05 +0000\r\nMessage-ID: <{identity}@test.example.net>\r\n\r\n")
    return head.encode() + (body.encode() if isinstance(body, str) else body)


def identity_of(message):
    found = re.search(rb"(?im)^Message-ID: <([^@>]+)@", message)
    return found.group(1).decode() if found else None


_FIELD = re.compile(rb"([!-9;-~]+):[^\n]*\n(?:[ \t][^\n]*\n)*")


def trace_of(message):
    """The fields on top that a relay may add: [(name, whole field)], Return-Path and Received only."""
    fields, at = [], 0
    while (m := _FIELD.match(message, at)) and m.group(1).lower() in (b"return-path", b"received"):
        fields.append((m.group(1).decode().lower(), m.group(0)))
        at = m.end()
    return fields


def without_trace(message, received=1, return_path=False):
    """The message as it was before `received` relays and perhaps a final delivery touched it."""
    fields = trace_of(message)
    expected = (["return-path"] if return_path else []) + ["received"] * received
    assert [name for name, _ in fields[:len(expected)]] == expected, \
        f"trace fields on top are {[name for name, _ in fields]}, not {expected}:\n{message[:800]!r}"
    return message[sum(len(field) for _, field in fields[:len(expected)]):]


def top_received(message):
    """The newest Received field, unfolded."""
    field = next(field for name, field in trace_of(message) if name == "received")
    return re.sub(r"\s+", " ", field.decode(errors="replace")).strip()


def header(message, name):
    """The value of the first field of this name, unfolded; None when there is none."""
    head = message.split(b"\r\n\r\n", 1)[0] + b"\r\n"
    found = re.search(rb"(?im)^" + re.escape(name.encode()) + rb":[ \t]*([^\n]*\n(?:[ \t][^\n]*\n)*)", head)
    return re.sub(r"\s+", " ", found.group(1).decode(errors="replace")).strip() if found else None


def with_local_newlines(message):
    return message.replace(b"\r\n", b"\n")


def odd_letters():
    """Messages that have broken relays before, by what is odd about them. All keep the rules of RFC 5321."""
    head = b"Subject: odd\r\n\r\n"
    return {
        "a body of one dot": head + b".\r\n",
        "leading dots of every count": head + b"".join(b"." * n + b"\r\n" + b"." * n + b"x\r\n" for n in range(1, 9)),
        "dots around the edges of reads": head + b"".join(b"x" * n + b"\r\n..\r\n" for n in range(0, 700)),
        "no body": b"Subject: no body\r\n\r\n",
        "no header": b"\r\nonly a body\r\n",
        "no blank line": b"Subject: header only\r\n",
        "nothing but an empty line": b"\r\n",
        "text that is no header": b"this is not a header\r\nnor is this\r\n",
        "lines of 998 bytes": head + b"\r\n".join([b"y" * 998] * 40) + b"\r\n",
        "every byte but CR, LF and NUL": head + bytes(b for b in range(1, 256) if b not in (10, 13)) + b"\r\n",
        "latin-1 in the header": b"Subject: \xe4\xf6\xfc\r\n\r\n\xdf\r\n",
        "UTF-8 in the body": head + "Grüße, 你好, 🐎\r\n".encode(),
        "white space at line ends": head + b"trailing \r\n\ttabs\t\r\n   \r\n",
        "a header folded with tabs": b"Subject: a\r\n\tb\r\n c\r\n\r\nbody\r\n",
        "headers that look like ours": b"Return-Path: <forged@example.com>\r\n"
                                       b"Received: from nowhere\r\n\tby nobody; never\r\n"
                                       b"Received: from nowhere else\r\n\r\nbody\r\n",
        "a thousand header fields": b"".join(b"X-%d: %d\r\n" % (n, n) for n in range(1000)) + b"\r\nbody\r\n",
        "a thousand empty lines": head + b"\r\n" * 1000,
        "From at a line start": head + b"From here on\r\n>From there\r\n",
        "commands in the body": head + b"QUIT\r\nMAIL FROM:<a@example.net>\r\nDATA\r\n",
        "exactly 64 KiB": (head + b"z" * 70 + b"\r\n") + (b"w" * 62 + b"\r\n") * 1024,
        "two megabytes": head + (b"0123456789" * 7 + b"\r\n") * 29128,
    }
