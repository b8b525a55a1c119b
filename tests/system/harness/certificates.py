"""Certificates good and bad, made on the spot."""

import datetime
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID


@dataclass(frozen=True)
class Certificate:
    """Files of one certificate: its chain, its key; and the leaf in DER."""
    chain: Path
    key: Path
    der: bytes


def _new_key(kind):
    if kind == "rsa":
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return ec.generate_private_key(ec.SECP256R1())


def _subject(name):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])


class Authority:
    """A certificate authority for tests. `file` is what whoever trusts it must load."""

    def __init__(self, directory):
        self.directory = Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.directory.chmod(0o755)
        self._made = 0
        self._key = _new_key("ecdsa")
        self._name = _subject("Test Authority")
        today = datetime.datetime.utcnow()
        self._certificate = (
            x509.CertificateBuilder().subject_name(self._name).issuer_name(self._name)
            .public_key(self._key.public_key()).serial_number(x509.random_serial_number())
            .not_valid_before(today - datetime.timedelta(days=400))
            .not_valid_after(today + datetime.timedelta(days=400))
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(x509.KeyUsage(False, False, False, False, False, True, True, False, False), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256()))
        self.file = self.directory / "authority.pem"
        self.file.write_bytes(self._certificate.public_bytes(serialization.Encoding.PEM))

    def issue(self, *names, key="ecdsa", expired=False, self_signed=False):
        """A certificate for `names`: in force or expired, signed by us or by itself."""
        leaf_key = _new_key(key)
        today = datetime.datetime.utcnow()
        until = today - datetime.timedelta(days=2) if expired else today + datetime.timedelta(days=90)
        builder = (
            x509.CertificateBuilder().subject_name(_subject(names[0]))
            .issuer_name(_subject(names[0]) if self_signed else self._name)
            .public_key(leaf_key.public_key()).serial_number(x509.random_serial_number())
            .not_valid_before(today - datetime.timedelta(days=90)).not_valid_after(until)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(n) for n in names]), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]),
                           critical=False))
        certificate = builder.sign(leaf_key if self_signed else self._key, hashes.SHA256())
        self._made += 1
        stem = self.directory / f"{names[0].replace('*', 'any')}-{self._made}"
        made = Certificate(stem.with_name(stem.name + ".chain.pem"), stem.with_name(stem.name + ".key.pem"),
                           certificate.public_bytes(serialization.Encoding.DER))
        made.chain.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        made.key.write_bytes(leaf_key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
        made.key.chmod(0o600)
        return made
