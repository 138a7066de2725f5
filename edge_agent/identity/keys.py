"""The gateway's keys: made here, never sent. P-256, as the cloud's authority asks."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from edge_agent.state import replace_file

# What an old key signs to ask for a new certificate begins with these words.
RENEWAL = b"lastmile renewal\n"


def own_key(path: Path) -> Any:
    """The private key in `path`; made there when there is none, readable by its owner alone."""
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    if path.exists():
        return load_key(path)
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    replace_file(path, pem, mode=0o600)
    return key


def load_key(path: Path) -> Any:
    """The private key in `path`. Raises what reading it raises."""
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    return load_pem_private_key(path.read_bytes(), None)


def request_pem(key: Any, gateway: str) -> str:
    """A certificate request for `key` that names this gateway and nothing else."""
    from cryptography import x509
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import Encoding
    from cryptography.x509.oid import NameOID

    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, gateway)])
    request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, SHA256())
    return str(request.public_bytes(Encoding.PEM).decode())


def sign_renewal(key: Any, csr: str) -> str:
    """The old key's word for a request of a new one: ECDSA with SHA-256, DER, base64."""
    from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
    from cryptography.hazmat.primitives.hashes import SHA256

    return base64.b64encode(key.sign(RENEWAL + csr.encode(), ECDSA(SHA256()))).decode()


def public_bytes(public: Any) -> bytes:
    """A public key as DER, to compare."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return bytes(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
