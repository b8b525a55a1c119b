"""The product under test: its configuration, its processes, its queue, its maildirs."""

import glob
import json
import os
import pwd
import re
import shutil
import signal
from pathlib import Path

from .dialogue import Dialogue
from .processes import LOOPBACK, Process, command_line, descendants, eventually, free_port, is_gone, run

PROJECT = Path(__file__).resolve().parents[3]
ACCOUNT = "nobody"          # what postern becomes when the tests run as root


def program():
    """Where the binary is: $POSTERN, or in the usual build directory. None when there is none."""
    path = Path(os.environ.get("POSTERN") or PROJECT / "build/src/cli/postern")
    return path.resolve() if path.exists() else None


def tool(path):
    """A program that only tests have, "tests/fact/tally_tool": of the same build, or of one that has tests."""
    built = program()
    folders = ([built.parents[2]] if built else []) + [PROJECT / f"build-{flavour}" for flavour in ("debug", "clang", "asan")]
    found = next((folder / path for folder in folders if (folder / path).exists()), None)
    assert found, f"{path} is not built: meson setup with tests, or make debug"
    return found


def as_configuration(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        return "{ " + ", ".join(as_configuration(v) for v in value) + " }"
    return str(value) if isinstance(value, (int, float)) else f'"{value}"'


def section(title, settings):
    """libConfuse text of one section; a dict inside is a section inside."""
    lines = [f"{title} {{"]
    for name, value in settings.items():
        if isinstance(value, dict):
            lines.append("    " + section(name, value).replace("\n", "\n    "))
        else:
            lines.append(f"    {name} = {as_configuration(value)}")
    return "\n".join(lines + ["}"])


_PAIR = re.compile(r'([\w.-]+)=("(?:[^"\\]|\\.)*"|\S*)')


def parse_logfmt(line):
    pairs = {}
    for name, value in _PAIR.findall(line):
        pairs[name] = re.sub(r"\\(.)", r"\1", value[1:-1]) if value.startswith('"') else value
    return pairs


class Postern:
    """One instance: an MX listener, a submission listener and an implicit-TLS one, mail for example.org kept in a
    maildir. Everything else goes out by MX. The attributes below may be changed before `start`."""

    def __init__(self, directory, dns, certificate, trusts=None):
        self.directory = Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.directory.chmod(0o755)
        self.data = self.directory / "data"
        self.maildirs = self.directory / "mail"
        self.file = self.directory / "postern.conf"
        self.log = self.directory / "log"
        self.trusts = trusts
        self.port, self.submission_port, self.submissions_port = free_port(), free_port(), free_port()
        self.address = LOOPBACK
        self.hostname = "mx.example.org"
        self.account = ACCOUNT if os.geteuid() == 0 else ""
        self.certificates = {"default": certificate}
        self.trusted = ["127.0.0.0/8"]
        self.inbound = self.outbound = 2
        self.mx_listener = {"role": "mx"}
        self.domains = {"example.org": f"maildir {self.maildirs}/example.org"}
        self.destinations = {"default": {"route": "mx", "tls": {"level": "may"}}}
        self.dns = {"forwarders": [f"127.0.0.1@{dns.port}"] if dns else [], "validate": False, "timeout": 2,
                    "selftest": {"enabled": False}}
        self.delivery = {"idle-connection": 1, "cleartext-after": 300}
        self.retry = {"first": 1, "most": 2, "give-up": 30, "give-up-bounce": 30, "delay-notice": 0}
        self.limits = {}
        self.policy = {"memory": "off"}
        self.sts = {"enabled": False}
        self.sections = {}          # others, by title: "tls-report", 'hook "pager"'
        self.inside = None          # a lab's name space (harness/inside.py) to live in
        self.faketime = None        # of libfaketime: "+1d"
        self.level = "info"
        self.process = None

    # --- configuration ---------------------------------------------------

    def configuration(self):
        parts = [f'hostname = "{self.hostname}"', f'data-directory = "{self.data}"']
        if self.account:
            parts.append(f'user = "{self.account}"')
        parts += [f"inbound-processes = {self.inbound}", f"outbound-processes = {self.outbound}",
                  f"trusted = {as_configuration(self.trusted)}",
                  section("log", {"to": "stderr", "format": "logfmt", "level": self.level})]
        for name, c in self.certificates.items():
            if c:
                parts.append(section(f'certificate "{name}"', {"chain": c.chain, "key": c.key}))
        for port, listener in ((self.port, self.mx_listener), (self.submission_port, {"role": "submission"}),
                               (self.submissions_port, {"role": "submission", "tls": "implicit"})):
            parts.append(section(f'listen "{self.address}:{port}"', listener))
        parts += [section(f'domain "{name}"', route if isinstance(route, dict) else {"route": route})
                  for name, route in self.domains.items()]
        parts += [section(f'destination "{name}"', settings) for name, settings in self.destinations.items()]
        parts += [section(name, getattr(self, name)) for name in ("dns", "delivery", "retry", "limits", "policy")]
        parts.append(section("mta-sts", self.sts))
        parts += [section(title, settings) for title, settings in self.sections.items()]
        return "\n".join(parts) + "\n"

    def relay_to(self, sink, domain="example.net", level="may", implicit=False):
        """Mail for `domain` goes to this sink, whatever the DNS says."""
        route = f"smtp {sink.address}:{sink.port}" + (" implicit" if implicit else "")
        self.destinations[domain] = {"route": route, "tls": {"level": level}}

    def deliver_by_mx_to(self, sink):
        """MX delivery uses the sink's port instead of 25."""
        self.delivery["port"] = sink.port

    def live_in(self, lab):
        """Everything goes out into a lab (harness/lab.py), with every policy."""
        self.dns = {"forwarders": ["%s@%d" % lab.dns], "trust-anchor": lab.trust_anchor, "timeout": 5,
                    "selftest": {"signed": "dane-ee.lab.example", "unsigned": "unsigned.lab.example MX",
                                 "bogus": "bogus.lab.example MX"}}
        self.delivery.update({"port": lab.ports["smtp"], "ca-file": lab.ca})
        self.sts = {"port": lab.ports["https"], "ca-file": lab.ca, "patience": 5, "fetch-time": 5}
        return self

    # --- life ------------------------------------------------------------

    def prepare(self):
        self.file.write_text(self.configuration())
        for folder in (self.data, self.maildirs):
            folder.mkdir(exist_ok=True)
            if os.geteuid() == 0:
                account = pwd.getpwnam(ACCOUNT)
                os.chown(folder, account.pw_uid, account.pw_gid)
        return self

    def within(self, *arguments):
        if self.faketime:           # not by faketime(1) itself, which would stand between us and the process
            library, = glob.glob("/usr/lib/*/faketime/libfaketime.so.1")
            arguments = ["env", f"FAKETIME={self.faketime}", f"LD_PRELOAD={library}", "DONT_FAKE_MONOTONIC=1", *arguments]
        return self.inside.command(*arguments) if self.inside else arguments

    def environment(self):
        extra = {"SSL_CERT_FILE": str(self.trusts)} if self.trusts else {}
        return {**os.environ, **extra}

    def start(self, wait=True, copied=False, **options):
        """`copied`: run a copy of the binary, for accounts that cannot reach the checkout."""
        self.prepare()
        binary = shutil.copy(program(), self.file.parent / "postern-copy") if copied else program()
        offset = len(self.log.read_bytes()) if self.log.exists() else 0
        self.process = Process(self.within(binary, "serve", "-c", self.file), self.log, env=self.environment(), **options)
        if wait:
            eventually(lambda: b"event=ready" in self.log.read_bytes()[offset:] or not self.process.alive(), 20,
                       lambda: f"postern is not ready:\n{self.text()[-4000:]}")
            assert self.process.alive(), f"postern ended with {self.process.running.returncode}:\n{self.text()[-4000:]}"
        return self

    def stop(self, seconds=20):
        return self.process.stop(seconds) if self.process else None

    def kill_all(self):
        """kill -9 of the master; the workers must follow by themselves."""
        family = [self.process.pid] + descendants(self.process.pid)
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        eventually(lambda: all(is_gone(p) for p in family), 10, "the workers follow a killed master")

    def reload(self):
        self.process.send_signal(signal.SIGHUP)

    def workers(self, kind=""):
        """{"inbound.1": pid, ...} from the names the processes give themselves."""
        named = {}
        for pid in descendants(self.process.pid):
            found = re.match(r"postern: ((\w+)(?:\.\d+)?)$", command_line(pid))
            if found and kind in ("", found.group(2)):
                named[found.group(1)] = pid
        return named

    def hand_in(self, message, recipient="carol@example.net", sender="alice@example.org", also=()):
        """Give it a message for anywhere, over submission, as a trusted client."""
        with Dialogue(self.submission_port) as client:
            client.hello()
            client.starttls()
            answer = client.message(message, sender, recipient, *also)
        assert answer.code == 250, str(answer)

    # --- what it says ----------------------------------------------------

    def text(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def events(self, name=None, **fields):
        lines = [parse_logfmt(line) for line in self.text().splitlines()]
        return [e for e in lines if (name is None or e.get("event") == name)
                and all(e.get(k) == str(v) for k, v in fields.items())]

    def command(self, *arguments, **options):
        return run(self.within(program(), *arguments), env=self.environment(), **options)

    def queue(self, *arguments):
        """`postern queue ...`; for list and show one entry for each recipient, from its lines of JSON."""
        wants_json = arguments[0] in ("list", "show")
        done = self.command("queue", *arguments, *(["--json"] if wants_json else []), "-c", self.file)
        assert done.returncode == 0, f"queue {arguments}: {done.returncode}\n{done.stdout}{done.stderr}"
        return [json.loads(line) for line in done.stdout.splitlines()] if wants_json else done.stdout

    def waiting(self):
        """One entry for each recipient that waits in the queue."""
        return self.queue("list")

    def wait_until_empty(self, seconds=20):
        eventually(lambda: not self.waiting(), seconds, lambda: f"the queue is empty; it has {self.waiting()}",
                   every=0.1)

    def wait_until_deferred(self, count=1, seconds=15):
        """Entries that have been tried at least once and wait to be tried again."""
        def tried():
            entries = [e for e in self.waiting() if e["attempts"] > 0]
            return entries if len(entries) >= count else None
        return eventually(tried, seconds, lambda: f"{count} deferred; the queue has {self.waiting()}", every=0.1)

    # --- what it delivered -----------------------------------------------

    def mailbox(self, domain="example.org"):
        """Every message in the maildir, oldest first."""
        files = [f for f in (self.maildirs / domain).glob("**/new/*") if f.is_file()]
        return [f.read_bytes() for f in sorted(files, key=lambda f: f.stat().st_mtime_ns)]

    def wait_for_mail(self, count=1, domain="example.org", seconds=15):
        eventually(lambda: len(self.mailbox(domain)) >= count, seconds,
                   lambda: f"{count} messages for {domain}; there are {len(self.mailbox(domain))}")
        return self.mailbox(domain)

    def remove(self):
        shutil.rmtree(self.directory, ignore_errors=True)
