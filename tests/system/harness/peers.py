"""Real mail servers, each in the foreground on a port of 127.0.0.1, with a configuration of its own.

Every peer plays both parts. As a receiver it takes mail for its `domain` into a
maildir (`mailbox()`); as a sender it takes any other mail on its port and
relays it to postern. `tls` says whether it does STARTTLS with postern."""

import os
import pwd
import shutil
import smtplib
import subprocess
from pathlib import Path

import pytest

from .postern import PROJECT
from .processes import Process, free_port, run

STORE = Path(os.environ.get("POSTERN_PEERS") or PROJECT / "build/peers")


def fetched(name, binary):
    """The folder with the unpacked Debian packages of a peer; skips the test when they cannot be had."""
    folder = STORE / name
    folder.parent.mkdir(parents=True, exist_ok=True)
    done = run([PROJECT / "scripts/fetch-peer", name, folder], seconds=300)
    if done.returncode != 0 or not (folder / binary).exists():
        pytest.skip(f"the packages of {name} cannot be had: {(done.stderr or done.stdout).strip()[-300:]}")
    return folder


def need_root():
    if os.geteuid() != 0:
        pytest.skip("this peer starts only as root")


def need_account(name):
    try:
        pwd.getpwnam(name)
    except KeyError:
        subprocess.run(["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", name], check=True)


def hand_in(port, sender, recipient, message):
    """Give a message to the peer as an ordinary client would, in clear."""
    with smtplib.SMTP("127.0.0.1", port, timeout=20) as client:
        client.sendmail(sender, [recipient], message, mail_options=["BODY=8BITMIME"])


class Peer:
    name = domain = ""

    def __init__(self, directory, certificate, next_hop):
        """`next_hop` is the port of postern's listener that takes this peer's mail."""
        self.directory = Path(directory) / self.name
        self.directory.mkdir(mode=0o755)
        self.box = self.directory / "box"
        self.certificate = certificate
        self.next_hop = next_hop
        self.port = free_port()
        self.process = None

    def log_text(self):
        return "".join(p.read_text(errors="replace") for p in sorted(self.directory.glob("log*")) if p.is_file())

    def write(self, name, text, mode=0o644):
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)
        return path

    def folder(self, name, owner):
        path = self.directory / name
        path.mkdir()
        shutil.chown(path, owner, pwd.getpwnam(owner).pw_gid)
        return path

    def send(self, recipient, message, sender="alice@example.net"):
        hand_in(self.port, sender, recipient, message)

    def mailbox(self):
        """Messages in the maildir, with CRLF again."""
        files = sorted((f for f in self.box.glob("**/new/*") if f.is_file()), key=lambda f: f.stat().st_mtime_ns)
        return [f.read_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n") for f in files]

    def empty(self):
        for message in self.box.glob("**/new/*"):
            message.unlink()

    def stop(self):
        if self.process:
            self.process.stop()


# Where a Postfix of ours lives; {d} is its directory.
POSTFIX_PLACES = """
compatibility_level = 3.6
queue_directory = {d}/queue
data_directory = {d}/data
daemon_directory = /usr/lib/postfix/sbin
command_directory = /usr/sbin
shlib_directory = /usr/lib/postfix
meta_directory = /etc/postfix
mail_owner = postfix
setgid_group = postdrop
maillog_file = {d}/log.mail
maillog_file_prefixes = {d}
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
"""


class Postfix(Peer):
    name, domain = "postfix", "postfix.example.net"

    MAIN = POSTFIX_PLACES + """myhostname = mx.postfix.example.net
mydestination =
mynetworks = 127.0.0.0/8
alias_maps =
virtual_mailbox_domains = postfix.example.net
virtual_mailbox_base = {d}
virtual_mailbox_maps = static:box/
virtual_uid_maps = static:65534
virtual_gid_maps = static:65534
virtual_minimum_uid = 1
relayhost = [127.0.0.1]:{next_hop}
smtpd_tls_security_level = may
smtpd_tls_chain_files = {key}, {chain}
smtpd_tls_received_header = yes
smtpd_tls_loglevel = 1
smtp_tls_security_level = encrypt
smtp_tls_loglevel = 1
smtpd_relay_restrictions = permit_mynetworks, reject
"""
    SERVICES = ("pickup unix n - n 60 1 pickup|cleanup unix n - n - 0 cleanup|qmgr unix n - n 300 1 qmgr|"
                "tlsmgr unix - - n 1000? 1 tlsmgr|rewrite unix - - n - - trivial-rewrite|bounce unix - - n - 0 bounce|"
                "defer unix - - n - 0 bounce|trace unix - - n - 0 bounce|verify unix - - n - 1 verify|"
                "flush unix n - n 1000? 0 flush|"
                "proxymap unix - - n - - proxymap|smtp unix - - n - - smtp|relay unix - - n - - smtp|"
                "error unix - - n - - error|retry unix - - n - - error|discard unix - - n - - discard|"
                "local unix - n n - - local|virtual unix - n n - - virtual|lmtp unix - - n - - lmtp|"
                "anvil unix - - n - 1 anvil|scache unix - - n - 1 scache|postlog unix-dgram n - n - 1 postlogd")

    def start(self):
        need_root()
        if not Path("/usr/sbin/postfix").exists():
            pytest.skip("Debian's postfix is not installed")
        self.folder("queue", "root")
        self.folder("data", "postfix")
        self.folder("box", "nobody")
        self.write("main.cf", self.MAIN.format(d=self.directory, next_hop=self.next_hop,
                                               key=self.certificate.key, chain=self.certificate.chain))
        services = [f"127.0.0.1:{self.port} inet n - n - - smtpd", *self.SERVICES.split("|"), ""]
        self.write("master.cf", "\n".join(services))
        self.process = Process(["/usr/sbin/postfix", "-c", self.directory, "start-fg"], self.directory / "log.start")
        self.process.wait_for_port(self.port)
        return self

    def stop(self):
        run(["/usr/sbin/postfix", "-c", self.directory, "stop"])
        super().stop()


class Exim(Peer):
    name, domain = "exim", "exim.example.net"

    CONFIGURATION = """
primary_hostname = mx.exim.example.net
spool_directory = {d}/spool
log_file_path = {d}/spool/log.%s
pid_file_path = {d}/spool/pid
exim_user = Debian-exim
exim_group = Debian-exim
local_interfaces = 127.0.0.1
daemon_smtp_ports = {port}
tls_advertise_hosts = *
tls_certificate = {d}/spool/chain.pem
tls_privatekey = {d}/spool/key.pem
log_selector = +tls_cipher +tls_peerdn +tls_certificate_verified
received_header_text = Received: ${{if def:sender_helo_name {{from $sender_helo_name }}}}by $primary_hostname \
${{if def:received_protocol {{with $received_protocol }}}}\
${{if def:tls_in_cipher {{($tls_in_cipher) }}}}id $message_exim_id
acl_smtp_rcpt = take
acl_smtp_data = take
queue_run_in_order = true
smtp_accept_queue_per_connection = 0
begin acl
take:
  accept
begin routers
here:
  driver = accept
  domains = exim.example.net
  transport = box
onward:
  driver = manualroute
  route_list = * 127.0.0.1
  self = send
  transport = postern
begin transports
box:
  driver = appendfile
  maildir_format
  directory = {d}/box
  create_directory
  delivery_date_add = false
  envelope_to_add = false
  return_path_add = false
postern:
  driver = smtp
  port = {next_hop}
  allow_localhost
  hosts_require_tls = *
  tls_verify_certificates =
begin retry
* * F,1h,1m
begin rewrite
begin authenticators
"""

    def start(self):
        need_root()
        unpacked = fetched("exim", "usr/sbin/exim4")
        need_account("Debian-exim")
        spool = self.folder("spool", "Debian-exim")
        self.folder("box", "Debian-exim")
        for source, name in ((self.certificate.chain, "chain.pem"), (self.certificate.key, "key.pem")):
            shutil.copy(source, spool / name)
            shutil.chown(spool / name, "Debian-exim")
        text = self.CONFIGURATION.format(d=self.directory, port=self.port, next_hop=self.next_hop)
        file = self.write("exim.conf", text)
        # Exim executes /usr/sbin/exim4 again for each delivery, setuid and so without LD_LIBRARY_PATH: in a mount
        # namespace of its own it finds the unpacked files where they would be installed.
        layer = f"mount -t overlay overlay -o lowerdir={unpacked}/usr:/usr /usr"
        self.process = Process(["unshare", "-m", "sh", "-c", f"{layer} && exec /usr/sbin/exim4 -C {file} -odi -bdf"],
                               self.directory / "log.start")
        self.process.wait_for_port(self.port)
        return self

    def log_text(self):
        logs = [*self.directory.glob("log*"), *(self.directory / "spool").glob("log*")]
        return "".join(p.read_text(errors="replace") for p in logs)


class OpenSmtpd(Peer):
    """In clear only: its TLS does not work with Debian 12's OpenSSL. It hands local mail on by LMTP-like relay to a
    second server, `box_server`, for it has no maildir without a system account."""
    name, domain = "opensmtpd", "opensmtpd.example.net"

    def __init__(self, directory, box_server, next_hop):
        super().__init__(directory, None, next_hop)
        self.box_server = box_server

    def start(self):
        need_root()
        unpacked = fetched("opensmtpd", "usr/sbin/smtpd")
        for account in ("opensmtpd", "opensmtpq"):
            need_account(account)
        for needed in ("/usr/libexec/opensmtpd", "/usr/lib/x86_64-linux-gnu/opensmtpd"):
            if (unpacked / needed[1:]).exists() and not Path(needed).exists():
                Path(needed).unlink(missing_ok=True)        # a link of a former checkout
                Path(needed).symlink_to(unpacked / needed[1:])
        for folder in ("/var/lib/opensmtpd/empty", "/var/spool/smtpd"):
            Path(folder).mkdir(parents=True, exist_ok=True)
            os.chown(folder, 0, 0)
            Path(folder).chmod(0o711)
        file = self.write("smtpd.conf", "\n".join([
            f"listen on 127.0.0.1 port {self.port} hostname mx.opensmtpd.example.net",
            f'action "box" relay host smtp://{self.box_server.address}:{self.box_server.port}',
            f'action "out" relay host smtp://127.0.0.1:{self.next_hop}',
            f'match from any for domain "{self.domain}" action "box"',
            'match from any for any action "out"', ""]))
        self.process = Process([unpacked / "usr/sbin/smtpd", "-d", "-f", file], self.directory / "log.start")
        self.process.wait_for_port(self.port)
        return self

    def mailbox(self):
        return self.box_server.messages


class Chasquid(Peer):
    """Finds postern as the DNS says, so it runs with an /etc/resolv.conf of its own."""
    name, domain = "chasquid", "chasquid.example.net"
    user, password = "carol", "a password for tests"

    CONFIGURATION = """
hostname: "mx.chasquid.example.net"
smtp_address: "127.0.0.1:{port}"
submission_address: "127.0.0.1:{submission}"
monitoring_address: ""
mail_delivery_agent_bin: "{d}/keep"
mail_delivery_agent_args: "%to%"
data_dir: "{d}/data"
mail_log_path: "{d}/log.mail"
"""

    def __init__(self, directory, certificate, next_hop, name_server):
        super().__init__(directory, certificate, next_hop)
        self.submission_port = free_port()
        self.name_server = name_server

    def start(self):
        need_root()
        unpacked = fetched("chasquid", "usr/bin/chasquid")
        for folder in ("box/tmp", "box/new", "data", f"domains/{self.domain}", "certs/mx.chasquid.example.net"):
            (self.directory / folder).mkdir(parents=True)
        shutil.copy(self.certificate.chain, self.directory / "certs/mx.chasquid.example.net/fullchain.pem")
        shutil.copy(self.certificate.key, self.directory / "certs/mx.chasquid.example.net/privkey.pem")
        self.write("chasquid.conf", self.CONFIGURATION.format(
            d=self.directory, port=self.port, submission=self.submission_port))
        self.write("keep", f'#!/bin/sh\ncd "{self.box}" && cat > tmp/$$ && mv tmp/$$ new/$$\n', 0o755)
        added = run([unpacked / "usr/bin/chasquid-util", f"--configdir={self.directory}", f"--password={self.password}",
                     "user-add", f"{self.user}@{self.domain}"])
        assert added.returncode == 0, added.stdout + added.stderr
        resolv = self.write("resolv.conf", f"nameserver {self.name_server.address}\noptions timeout:2\n")
        serve = (f"mount --bind {resolv} /etc/resolv.conf && exec {unpacked}/usr/bin/chasquid "
                 f"-config_dir {self.directory} -logtime -v=1 -testing__outgoing_smtp_port {self.next_hop}")
        self.process = Process(["unshare", "-m", "sh", "-c", serve], self.directory / "log.start")
        self.process.wait_for_port(self.port)
        return self

    def send(self, recipient, message, sender=None):
        """Chasquid relays only for its own users."""
        with smtplib.SMTP("127.0.0.1", self.submission_port, timeout=20) as client:
            client.starttls()
            client.login(f"{self.user}@{self.domain}", self.password)
            client.sendmail(sender or f"{self.user}@{self.domain}", [recipient], message,
                            mail_options=["BODY=8BITMIME"])
