"""A domain with an MTA-STS policy in force, its mail host and its policy host: fixtures for test files to import."""

import pytest

from .policyhost import PolicyHost, policy
from .sink import Sink

DOMAIN, HOST = "example.net", "mx.example.net"


@pytest.fixture
def sink(authority):
    server = Sink(authority.issue(HOST))
    yield server
    server.close()


@pytest.fixture
def web(authority):
    server = PolicyHost(authority.issue(f"mta-sts.{DOMAIN}"))
    yield server
    server.close()


@pytest.fixture
def gate(postern, dns, sink, web, authority):
    """A domain with a policy in force, and a postern that has not heard of it. Each start looks at the TXT record anew."""
    dns.mail_hosts(DOMAIN, (HOST, sink.address))
    dns.set(f"_mta-sts.{DOMAIN}", "TXT", '"v=STSv1; id=one"')
    dns.set(f"mta-sts.{DOMAIN}", "A", web.address)
    web.body = policy(HOST)
    postern.deliver_by_mx_to(sink)
    postern.delivery["ca-file"] = authority.file
    postern.sts = {"port": web.port, "ca-file": authority.file, "patience": 5, "fetch-time": 5}
    postern.retry = {"first": 2, "most": 2, "give-up": 60, "give-up-bounce": 60, "delay-notice": 0}
    return postern
