"""A name server whose records the tests set, and which can fail in every way."""

import socket
import struct
import threading

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

SILENCE = "silence"         # no answer at all
TTL = 1


class NameServer:
    """Authority for everything it was told about; NXDOMAIN for the rest. UDP and TCP on one port."""

    def __init__(self, address="127.0.0.1", port=0):
        self.records = {}           # (name, type) -> [text]
        self.faults = {}            # (name, type or None) -> rcode text or SILENCE
        self.asked = []             # (name, type text) in order
        self._udp, self._tcp = self._bind(address, port)
        self.address, self.port = self._udp.getsockname()
        self._open = True
        for serve in (self._serve_udp, self._serve_tcp):
            threading.Thread(target=serve, daemon=True).start()

    @staticmethod
    def _bind(address, port):
        while True:
            udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            udp.bind((address, port))
            tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                tcp.bind(udp.getsockname())
            except OSError:
                udp.close()
                tcp.close()
                continue
            tcp.listen(16)
            return udp, tcp

    # --- what it knows -------------------------------------------------

    def set(self, name, kind, *values):
        """Replace the records of this name and type: set("example.net", "MX", "10 mx.example.net.")"""
        self.records[name.lower().rstrip("."), kind] = list(values)

    def mail_hosts(self, domain, *hosts):
        """MX records in order of preference, each host with its address: ("mx1.example.net", "127.0.0.2")"""
        self.set(domain, "MX", *[f"{(i + 1) * 10} {name}." for i, (name, _) in enumerate(hosts)])
        for name, address in hosts:
            if address:
                self.set(name, "A", address)

    def fault(self, name, what, kind=None):
        """Answer with an rcode ("SERVFAIL", "REFUSED") or with SILENCE."""
        self.faults[name.lower().rstrip("."), kind] = what

    def heal(self, name):
        for key in [k for k in self.faults if k[0] == name.lower().rstrip(".")]:
            del self.faults[key]

    # --- how it answers ------------------------------------------------

    def _answer(self, wire):
        query = dns.message.from_wire(wire)
        question = query.question[0]
        name = question.name.to_text().lower().rstrip(".")
        kind = dns.rdatatype.to_text(question.rdtype)
        self.asked.append((name, kind))
        reply = dns.message.make_response(query)
        reply.flags |= dns.flags.AA | dns.flags.RA
        fault = self.faults.get((name, kind)) or self.faults.get((name, None))
        if fault == SILENCE:
            return None
        if fault:
            reply.set_rcode(dns.rcode.from_text(fault))
            return reply
        alias = self.records.get((name, "CNAME"))
        if alias and kind != "CNAME":
            reply.answer.append(dns.rrset.from_text(question.name, TTL, "IN", "CNAME", *alias))
            name = alias[0].lower().rstrip(".")
        values = self.records.get((name, kind))
        if values:
            reply.answer.append(dns.rrset.from_text(name + ".", TTL, "IN", kind, *values))
        else:
            if not any(known == name or known.endswith("." + name) for known, _ in self.records):
                reply.set_rcode(dns.rcode.NXDOMAIN)
            reply.authority.append(dns.rrset.from_text(
                self._zone_of(name), TTL, "IN", "SOA", f"ns.invalid. root.invalid. 1 3600 600 86400 {TTL}"))
        return reply

    @staticmethod
    def _zone_of(name):
        return ".".join(name.split(".")[-2:]) + "."

    def _serve_udp(self):
        while self._open:
            try:
                wire, client = self._udp.recvfrom(4096)
                reply = self._answer(wire)
                if reply:
                    self._udp.sendto(reply.to_wire(), client)
            except OSError:
                return
            except Exception:       # noqa: a malformed question deserves no answer
                continue

    def _serve_tcp(self):
        while self._open:
            try:
                client, _ = self._tcp.accept()
            except OSError:
                return
            with client:
                client.settimeout(2)
                try:
                    size, = struct.unpack("!H", client.recv(2))
                    reply = self._answer(client.recv(size))
                    if reply:
                        wire = reply.to_wire()
                        client.sendall(struct.pack("!H", len(wire)) + wire)
                except Exception:   # noqa
                    continue

    def close(self):
        self._open = False
        self._udp.close()
        self._tcp.close()
