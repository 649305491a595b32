"""What this Python trusts, as a Java trust store.

The PyPI Java brings certificates of its own and looks at nothing else, so behind a company's proxy or mirror it would refuse what
pip and every other program of the machine accept.
"""

from __future__ import annotations

import hashlib
import ssl
import struct
from pathlib import Path

PASSWORD = "changeit"  # Java's own default; the store holds public certificates only


def java_trust_store(path: Path) -> Path | None:
    """Writes the certificates of Python's default context (SSL_CERT_FILE counts) to `path` in Java's JKS format; None if Python
    knows none, as builds without a certificate file do."""
    certificates = ssl.create_default_context().get_ca_certs(binary_form=True)
    if not certificates:
        return None
    content = struct.pack(">III", 0xFEEDFEED, 2, len(certificates))
    for number, certificate in enumerate(certificates):
        # tag 2 is a trusted certificate; then its alias, its date (none), its type and its bytes
        content += struct.pack(">I", 2) + _text(f"ca{number}") + struct.pack(">Q", 0) + _text("X.509")
        content += struct.pack(">I", len(certificate)) + certificate
    # the format's own seal: SHA-1 over the password in UTF-16, a fixed phrase and the content
    seal = hashlib.sha1(PASSWORD.encode("utf-16-be") + b"Mighty Aphrodite" + content, usedforsecurity=False)
    path.write_bytes(content + seal.digest())
    return path


def _text(value: str) -> bytes:
    return struct.pack(">H", len(value)) + value.encode()
