"""Days that are over: fills the tallies of a postern that does not run (tests/fact/tally_tool.c)."""

import json
import os
import pwd
import time

from .postern import ACCOUNT, tool
from .processes import run

TODAY = int(time.time() // 86400)


def date(day):
    return time.strftime("%Y-%m-%d", time.gmtime(day * 86400))


def fill(instance, rows):
    """`rows`: what the tool takes, but "ago" in the place of "day"."""
    instance.prepare()
    lines = [{"day": TODAY - row.get("ago", 0), "count": 1, **row} for row in rows]
    done = run([tool("tests/fact/tally_tool"), instance.data], input="".join(json.dumps(line) + "\n" for line in lines))
    assert done.returncode == 0, done.stderr
    if os.geteuid() == 0:
        account = pwd.getpwnam(ACCOUNT)
        for path in [instance.data, *instance.data.rglob("*")]:
            os.chown(path, account.pw_uid, account.pw_gid)
    return instance


def under_tls(domain, count=1, **facts):
    """Sent, with a certificate that is good and a policy that asks for it, unless `facts` say otherwise."""
    return {"kind": "sent", "next-hop": domain, "host": f"mx.{domain}", "count": count, "tls": "1.3", "group": "X25519",
            "cipher": "TLS_AES_256_GCM_SHA384", "trust": "pkix", "name-matches": True, **facts}


def in_clear(domain, count=1, **facts):
    return {"kind": "sent", "next-hop": domain, "host": f"mx.{domain}", "count": count, "starttls-missing": True, **facts}


def received(domain, count=1, tls="1.3", **facts):
    return {"kind": "received", "domain": domain, "count": count, "tls": tls, "group": "X25519" if tls else "", **facts}


def visit(address, count=1, role="mx", tls="1.3", **facts):
    return {"kind": "client", "role": role, "address": address, "count": count, "tls": tls, **facts}
