"""certificate - a certificate of localhost that a test can trust, renew and serve.
SPDX-License-Identifier: MIT"""
import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


class Pair:
    """A certificate that vouches for itself, and its key, as files."""

    def __init__(self, folder, serial):
        self.certificate, self.key = folder / "certificate.pem", folder / "key.pem"
        self.write(serial)

    def write(self, serial):
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
        now = datetime.datetime.utcnow()
        certificate = (x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
                       .serial_number(serial).not_valid_before(now - datetime.timedelta(days=1))
                       .not_valid_after(now + datetime.timedelta(days=9))
                       .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), False)
                       .add_extension(x509.BasicConstraints(True, None), True).sign(key, hashes.SHA256()))
        self.key_text = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                          serialization.NoEncryption())
        self.certificate_text = certificate.public_bytes(serialization.Encoding.PEM)
        for path, text in ((self.key, self.key_text), (self.certificate, self.certificate_text)):
            new = path.with_suffix(".new")
            new.write_bytes(text)
            new.rename(path)

    def arguments(self):
        return "--tls-certificate", self.certificate, "--tls-key", self.key
