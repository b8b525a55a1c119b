"""The relays that are measured. Each listens on 127.0.0.1, relays to a sink there, and keeps its queue where it is told."""

import os
import re
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

from measure import Tree


class Failure(Exception):
    """The benchmark cannot say anything."""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for_port(port, process, log, seconds=60):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if process.poll() is not None:
            break
        with socket.socket() as s:
            if s.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    end = Path(log).read_text(errors="replace")[-2000:] if Path(log).exists() else ""
    raise Failure(f"nothing listens on port {port}:\n{end}")


class Relay:
    """start(), tree(), stop(). With `trace` it runs under strace, which writes its syncs to that file."""

    SYNCS = "fsync,fdatasync,sync_file_range,syncfs,sync"

    def __init__(self, folder, keys, sink_port):
        self.folder, self.keys, self.sink_port = Path(folder), keys, sink_port
        self.port, self.process = free_port(), None
        self.log = self.folder / "log"

    def start(self, trace=None, calls=SYNCS):
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(mode=0o755)
        self.prepare()
        return self.start_again(trace, calls)

    def start_again(self, trace=None, calls=SYNCS):
        """With the queue that is there."""
        command = self.command()
        if trace:
            command = ["strace", "-f", "--seccomp-bpf", "-qq", "-y", "-s", "100", "-e", f"trace={calls}",
                       "-e", "signal=none", "-o", str(trace), *command]
        with open(self.folder / "output", "wb") as output:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        wait_for_port(self.port, self.process, self.folder / "output")
        return self

    def tree(self):
        return Tree(self.process.pid)

    def wait_for_end(self, seconds=60):
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            for pid in self.tree().stats():
                os.kill(pid, signal.SIGKILL)
            self.process.wait()
        self.process = None


class Postern(Relay):
    """One inbound and one outbound process: with the store's they share the cores of a small machine."""

    name = "postern"

    def __init__(self, build, folder, keys, sink_port):
        super().__init__(folder, keys, sink_port)
        self.program = Path(build).resolve() / "src/cli/postern"

    CONFIGURATION = """\
hostname = "mx.example.org"
data-directory = "{d}/data"
user = "nobody"
inbound-processes = 1
outbound-processes = 1
limits {{ connections-per-client = 1000 }}
delivery {{ connections-per-destination = 50 }}
certificate "mx.example.org" {{ chain = "{keys}/chain.pem" key = "{keys}/key.pem" }}
listen "127.0.0.1:{port}" {{ role = "mx" }}
domain "sink.example.org" {{ route = "smtp 127.0.0.1:{sink}" tls {{ level = "encrypt" }} }}
domain "discard.example.org" {{ route = "discard" }}
"""

    def version(self):
        return "this tree"

    def prepare(self):
        (self.folder / "data").mkdir(mode=0o700)
        shutil.chown(self.folder / "data", "nobody")
        (self.folder / "postern.conf").write_text(self.CONFIGURATION.format(
            d=self.folder, keys=self.keys, port=self.port, sink=self.sink_port))

    def command(self):
        return [str(self.program), "serve", "-c", str(self.folder / "postern.conf")]

    def stop(self):
        # Under strace the relay is not the root of its tree.
        for pid in self.tree().stats():
            if Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0] == os.fsencode(self.program):
                os.kill(pid, signal.SIGTERM)
        self.wait_for_end()


class Postfix(Relay):
    """As a competent administrator would set it up for a busy relay; what differs from Debian's main.cf
    is only there to make it faster."""

    name = "Postfix"

    MAIN = """\
compatibility_level = 3.6
queue_directory = {d}/queue
data_directory = {d}/data
daemon_directory = /usr/lib/postfix/sbin
command_directory = /usr/sbin
shlib_directory = /usr/lib/postfix
meta_directory = /etc/postfix
mail_owner = postfix
setgid_group = postdrop
maillog_file = {d}/log
maillog_file_prefixes = {d}
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = mx.example.org
mydestination =
mynetworks = 127.0.0.0/8
alias_maps =
local_recipient_maps =
relayhost = [127.0.0.1]:{sink}
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_tls_security_level = may
smtpd_tls_chain_files = {keys}/key.pem, {keys}/chain.pem
smtp_tls_security_level = encrypt
smtp_tls_session_cache_database = btree:${{data_directory}}/smtp_scache
# for speed
smtp_tls_connection_reuse = yes
smtp_dns_support_level = disabled
smtpd_peername_lookup = no
smtpd_client_connection_count_limit = 0
default_process_limit = 200
default_destination_concurrency_limit = 50
initial_destination_concurrency = 50
in_flow_delay = 0
"""

    # Debian's services, none of them in a chroot; smtpd on our port.
    MASTER = """\
127.0.0.1:{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
tlsproxy unix - - n - 0 tlsproxy
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""

    def version(self):
        said = subprocess.run(["postconf", "-d", "-h", "mail_version"], capture_output=True, text=True, check=True)
        return said.stdout.strip()

    def prepare(self):
        (self.folder / "queue").mkdir()
        (self.folder / "data").mkdir()
        shutil.chown(self.folder / "data", "postfix")
        (self.folder / "main.cf").write_text(self.MAIN.format(d=self.folder, keys=self.keys, sink=self.sink_port))
        (self.folder / "master.cf").write_text(self.MASTER.format(port=self.port))

    def command(self):
        return ["/usr/sbin/postfix", "-c", str(self.folder), "start-fg"]

    def stop(self):
        subprocess.run(["/usr/sbin/postfix", "-c", str(self.folder), "stop"], check=False,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.wait_for_end()


def syncs_in(trace):
    """How many calls that sync files the trace has so far."""
    return len(re.findall(r"^\d+ +(?:fsync|fdatasync|sync_file_range|syncfs|sync)\(", Path(trace).read_text(), re.MULTILINE))


def synced_before_250(trace):
    """The files synced between the 354 to DATA and the 250 that takes the message, in the trace of one session in clear."""
    files, unfinished, inside = [], {}, False
    for line in Path(trace).read_text().splitlines():
        pid = line.split()[0]
        call = re.search(r"(?:fsync|fdatasync)\(\d+<([^>]*)>", line)
        if call and "unfinished" in line:
            unfinished[pid] = call[1]
        elif "resumed" in line and pid in unfinished and line.endswith("= 0"):
            call, name = True, unfinished.pop(pid)
            if inside:
                files.append(name)
        elif call and inside and line.endswith("= 0"):
            files.append(call[1])
        if '"354 ' in line:
            inside = True
        if re.search(r'"250 2\.0\.0 .*ueued as', line, re.IGNORECASE):
            return files if inside else None
    return None
