"""Programs of others that judge the lab's domains, and postern among them; each says one word about each.

`verified`, `trusted`, `encrypted`, `in clear`: so the mail would be sent. `refused`: not now, or not at all.
Words are given for the domain, or for a mail host where the program looks at one host only."""

import json
import pwd
import re
import shutil
from dataclasses import dataclass

import pytest

from .peers import POSTFIX_PLACES, fetched, need_account
from .postern import Postern, program
from .processes import eventually, run

SENDER = "alice@client.example.org"
RECIPIENT = "bob"
WAIT = 3        # seconds a program may wait for a host: some hosts of the lab never answer


@dataclass(frozen=True)
class Verdict:
    word: str
    host: str = ""          # that got the mail, or would have; empty: none did

    def __str__(self):
        return f"{self.word} by {self.host}" if self.host else self.word


REFUSED = Verdict("refused")


# --- postern --------------------------------------------------------------------


class Explained:
    """What `postern explain --connect` said of one domain."""

    def __init__(self, answer):
        self.answer = answer
        self.hosts = {host["name"]: self._word(host) for host in answer["hosts"]}

    @staticmethod
    def _word(host):
        connection = host.get("connection")
        if not connection:
            return "refused"
        if connection["usable"]:
            return {"none": "in clear"}.get(connection["verdict"], connection["verdict"])
        # Explaining shows the first connection only. A handshake that failed, where TLS is not
        # needed, has a second one in clear (PD-E05): test_policy.py sees the mail go.
        broken = connection["problem"]["code"] == "E_TLS_HANDSHAKE"
        return "in clear" if broken and not host["decision"]["tls-needed"] else "refused"

    def verdict(self, expanded=False):
        """Of the first host in MX order that takes the mail. Exim names hosts by their `expanded` names."""
        for host in self.answer["hosts"]:
            if self.hosts[host["name"]] != "refused":
                return Verdict(self.hosts[host["name"]], host.get("alias-of", host["name"]) if expanded else host["name"])
        return REFUSED

    def policy(self):
        """The MTA-STS policy: (id, mode, max_age, mx), or None."""
        found = self.answer.get("mta-sts", {})
        return (found["id"], found["mode"], found["max-age"], sorted(found["mx"])) if "mode" in found else None


def ask_postern(lab, place, domains, level="may"):
    """{domain: Explained}"""
    client = Postern(place / f"postern-{level}", None, None).live_in(lab)
    client.destinations["default"]["tls"]["level"] = level
    client.prepare()
    said = lab.run_each(domains, lambda d: [program(), "explain", "--connect", "--json", d, "-c", client.file])
    # 75: the MX record cannot be looked up now
    wrong = [f"{d}: {done.returncode} {done.stderr}" for d, done in said.items() if done.returncode not in (0, 75)]
    assert not wrong, "\n".join(wrong)
    return {d: Explained(json.loads(done.stdout)) for d, done in said.items()}


# --- posttls-finger: DANE, host by host --------------------------------------------


FINGER_SAYS = [         # the first that is found counts
    (r"panic: ", "crash"),
    (r"server certificate verification failed|resorting to \"secure\"[^$]*certificate verification failed", "refused"),
    (r"lookup error|lookup failed|does not accept mail", "refused"),
    (r"Verified TLS connection", "verified"),
    (r"Trusted TLS connection", "trusted"),
    (r"Untrusted TLS connection", "encrypted"),
    (r"SSL_connect error", "broken TLS"),
]


def ask_finger(lab, subjects, level="dane"):
    """{subject: (word, all it said)}; a subject is a domain, of which the first host is looked at, or "[HOST]"."""
    if not shutil.which("posttls-finger"):
        pytest.skip("posttls-finger (postfix) is not installed")
    said = lab.run_each(subjects, lambda subject: ["posttls-finger", "-c", f"-t{WAIT * 5}", f"-T{WAIT * 5}", "-l", level,
                                                   "-L", "summary", "-o", "inet_protocols=ipv4", subject])
    text = {subject: done.stdout + done.stderr for subject, done in said.items()}
    return {subject: (next((word for words, word in FINGER_SAYS if re.search(words, t)), "no TLS"), t)
            for subject, t in text.items()}


# --- mta-sts-query: the policies --------------------------------------------------------


# What /usr/bin/mta-sts-query does for one domain, for many in one process: Python takes long to start.
STS_QUERIES = """
import asyncio, json, logging, sys
from postfix_mta_sts_resolver.resolver import STSFetchResult, STSResolver

async def main():
    logging.disable()
    resolver = STSResolver(loop=asyncio.get_running_loop(), timeout=float(sys.argv[1]))
    answers = await asyncio.gather(*(resolver.resolve(domain) for domain in sys.argv[2:]))
    print(json.dumps({domain: [how.name, what] for domain, (how, what) in zip(sys.argv[2:], answers)}))

asyncio.run(main())
"""


def need_sts_resolver():
    if not shutil.which("mta-sts-query"):
        pytest.skip("mta-sts-query (postfix-mta-sts-resolver) is not installed")


def ask_sts_resolver(lab, domains):
    """{domain: policy as Explained.policy() tells it}"""
    need_sts_resolver()
    done = lab.run("/usr/bin/python3", "-c", STS_QUERIES, str(WAIT * 3), *domains)
    assert done.returncode == 0, done.stderr
    return {domain: (what[0], what[1]["mode"], what[1]["max_age"], sorted(what[1]["mx"])) if how == "VALID" else None
            for domain, (how, what) in json.loads(done.stdout).items()}


# --- Exim: DANE by GnuTLS --------------------------------------------------------------------


EXIM = """
primary_hostname = client.example.org
spool_directory = {d}/spool
log_file_path = {d}/spool/log.%s
pid_file_path = {d}/spool/pid
exim_user = Debian-exim
exim_group = Debian-exim
keep_environment =
disable_ipv6
dns_dnssec_ok = 1
log_selector = +tls_cipher +tls_certificate_verified
{server}
acl_smtp_rcpt = take
acl_smtp_data = take
begin acl
take:
  accept
begin routers
out:
  driver = dnslookup
  dnssec_request_domains = *
  self = send
  transport = smtp
begin transports
smtp:
  driver = smtp
  allow_localhost
  connect_timeout = {wait}s
  command_timeout = {wait}s
  {dane} = *
begin retry
begin rewrite
begin authenticators
"""

EXIM_SERVER = """
local_interfaces = {address}
daemon_smtp_ports = 25
tls_advertise_hosts = *
tls_certificate = {d}/spool/chain.pem
tls_privatekey = {d}/spool/key.pem
"""


class Exim:
    def __init__(self, lab, directory, level="dane", address=None, certificate=None):
        self.lab, self.directory, self.address = lab, directory, address
        self.process = None
        self.unpacked = fetched("exim", "usr/sbin/exim4")
        need_account("Debian-exim")
        spool = directory / "spool"
        spool.mkdir(parents=True)
        for source, name in ((certificate.chain, "chain.pem"), (certificate.key, "key.pem")) if certificate else ():
            shutil.copy(source, spool / name)
            shutil.chown(spool / name, "Debian-exim")
        shutil.chown(spool, "Debian-exim", pwd.getpwnam("Debian-exim").pw_gid)
        server = EXIM_SERVER.format(d=directory, address=address) if address else ""
        self.conf = directory / "exim.conf"
        self.conf.write_text(EXIM.format(d=directory, server=server, wait=WAIT,
                                         dane="hosts_require_dane" if level == "dane-only" else "hosts_try_dane"))
        self.conf.chmod(0o644)

    def command(self, *arguments):
        """Exim executes /usr/sbin/exim4 again for each delivery: it must find itself there."""
        layer = f"mount -t overlay overlay -o lowerdir={self.unpacked}/usr:/usr /usr && exec \"$@\""
        return ["unshare", "-m", "sh", "-c", layer, "sh", "/usr/sbin/exim4", "-C", str(self.conf), *arguments]

    def start(self):
        self.process = self.lab.start(self.command("-bdf"), self.directory / "log")
        self.lab.wait_for_port(self.process, self.address)
        return self

    def stop(self):
        if self.process:
            self.process.stop()

    def send_to(self, domains):
        """{domain: Verdict}: a message to each, tried once."""
        done = self.lab.run_each(domains, lambda d: self.command("-odi", "-f", "<>", f"{RECIPIENT}@{d}"), together=6,
                                 input="Subject: Hello\n\nHello\n")
        log = (self.directory / "spool/log.main").read_text(errors="replace")
        found = {d: self._verdict(log, d) for d in domains}
        lost = [f"{d}: {done[d].stderr}" for d in domains if not found[d]]
        assert not lost, "\n".join(lost) + log[-3000:]
        return found

    @staticmethod
    def _verdict(log, domain):
        told = re.findall(rf" (=>|==|\*\*) {RECIPIENT}@{re.escape(domain)}[ :](.*)", log)
        if not told:
            return None
        mark, line = told[-1]
        if mark != "=>":
            return REFUSED
        host = re.search(r" H=(\S+)", line)[1]
        word = "in clear" if " X=" not in line else "verified" if " CV=dane" in line else "encrypted"
        return Verdict(word, host)


# --- Postfix: DANE by OpenSSL, MTA-STS by a policy service ------------------------------------------


POSTFIX_MAIN = POSTFIX_PLACES + """myhostname = client.example.org
mydestination =
mynetworks = 127.0.0.0/8
alias_maps =
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_tls_security_level = {serve}
smtpd_tls_chain_files = {chain}
transport_maps = texthash:{d}/transport
smtp_tls_security_level = dane
smtp_dns_support_level = dnssec
smtp_tls_loglevel = 1
smtp_tls_CAfile = {ca}
smtp_connect_timeout = {wait}
smtp_helo_timeout = {wait}
smtp_starttls_timeout = {wait}
minimal_backoff_time = 1
maximal_backoff_time = 2
queue_run_delay = 1
bounce_queue_lifetime = 0
"""

POSTFIX_MASTER = """
{address}:25 inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
smtp unix - - n - 8 smtp
sts unix - - n - 8 smtp
  -o smtp_tls_policy_maps=socketmap:inet:127.0.0.1:8461:postfix
error unix - - n - - error
retry unix - - n - - error
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""

STS_DAEMON = """
host: 127.0.0.1
port: 8461
cache:
  type: internal
default_zone:
  strict_testing: false
  timeout: {wait}
"""

POSTFIX_WORDS = {"Verified": "verified", "Trusted": "trusted", "Untrusted": "encrypted", "Anonymous": "encrypted",
                 "": "in clear"}


class Postfix:
    """It sends by DANE, and by MTA-STS to domains whose transport is `sts`. It takes mail, too."""

    def __init__(self, lab, directory, address, certificate=None):
        if not shutil.which("smtp-source"):
            pytest.skip("postfix is not installed")
        self.lab, self.directory, self.address = lab, directory, address
        self.process = self.policies = None
        for folder in ("queue", "data"):
            (directory / folder).mkdir(parents=True)
        shutil.chown(directory / "data", "postfix")
        chain = f"{certificate.key}, {certificate.chain}" if certificate else ""
        (directory / "main.cf").write_text(POSTFIX_MAIN.format(
            d=directory, ca=lab.ca, wait=WAIT, serve="may" if certificate else "none", chain=chain))
        (directory / "master.cf").write_text(POSTFIX_MASTER.format(address=address))
        self.log = directory / "log.mail"

    def start(self, transports=None):
        """`transports`: {domain: "sts"}"""
        transports = transports or {}
        (self.directory / "transport").write_text("".join(f"{d} {name}:\n" for d, name in transports.items()))
        if "sts" in transports.values():
            self._start_policies()
        self.process = self.lab.start(["postfix", "-c", self.directory, "start-fg"], self.directory / "log.start")
        self.lab.wait_for_port(self.process, self.address)
        return self

    def _start_policies(self):
        need_sts_resolver()
        conf = self.directory / "mta-sts-daemon.yml"
        conf.write_text(STS_DAEMON.format(wait=WAIT))
        self.policies = self.lab.start(["mta-sts-daemon", "-c", str(conf)], self.directory / "log.policies")
        self.lab.wait_for_port(self.policies, "127.0.0.1", 8461)

    def stop(self):
        if self.process:
            self.lab.run("postfix", "-c", str(self.directory), "stop")
            self.process.stop()
        if self.policies:
            self.policies.stop()

    def text(self):
        return "".join(p.read_text(errors="replace") for p in sorted(self.directory.glob("log*")))[-6000:]

    def send_to(self, domains):
        """{domain: Verdict}: a message to each, tried until it is sent or has been deferred twice: a message that is
        new is not sent in clear after a failed handshake."""
        fed = self.lab.run_each(domains, lambda d: ["smtp-source", "-f", SENDER, "-t", f"{RECIPIENT}@{d}",
                                                    f"inet:{self.address}:25"], together=4)
        assert all(done.returncode == 0 for done in fed.values()), [done.stderr for done in fed.values()]

        def settled():
            told = self._told()
            return all(d in told and (told[d][-1] != REFUSED or len(told[d]) > 1) for d in domains) and told
        told = eventually(settled, 60, lambda: f"{[d for d in domains if len(self._told().get(d, [])) < 2]}\n{self.text()}",
                          every=0.5)
        return {d: told[d][-1] for d in domains}

    def _told(self):
        """{domain: [Verdict, ...]}: the log is read in its order; a line of TLS belongs to the next delivery of its process."""
        told, handshakes = {}, {}
        for line in self.log.read_text(errors="replace").splitlines():
            process = re.search(r" (postfix\S*\[\d+\]): ", line)
            tls = re.search(r": (\w+) TLS connection established to (\S+)\[", line)
            sent = re.search(rf" to=<{RECIPIENT}@(\S+?)>, relay=([^\[,]+).* status=(\w+)", line)
            if process and tls:
                handshakes[process[1]] = (tls[1], tls[2])
            if not process or not sent:
                continue
            how, host = handshakes.pop(process[1], ("", ""))
            verdict = Verdict(POSTFIX_WORDS[how if host == sent[2] else ""], sent[2]) if sent[3] == "sent" else REFUSED
            told.setdefault(sent[1], []).append(verdict)
            if sent[3] == "bounced":        # is final, too
                told[sent[1]].append(verdict)
        return told

