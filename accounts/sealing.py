"""Secrets that the database holds and cannot read: encrypted under a key that lies elsewhere."""

from hashlib import sha512

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from django.conf import settings

from xraydx.errors import UserError

# What AES-SIV adds to a secret, in bytes (RFC 5297).
ADDED_BYTES = 16


def seal(secret: bytes, *, owner: str) -> bytes:
    """Encrypt a secret; it opens for the same owner only, so that a copied row is of no use."""
    return _cipher().encrypt(secret, [owner.encode()])


def unseal(sealed: bytes, *, owner: str) -> bytes:
    """Decrypt what `seal` returned. raises: UserError("secret_unreadable") under another key"""
    try:
        return _cipher().decrypt(sealed, [owner.encode()])
    except InvalidTag as error:
        raise UserError("secret_unreadable", status=503) from error


def _cipher() -> AESSIV:
    # The setting is a text of any length; AES-256 in SIV mode takes 64 bytes.
    return AESSIV(sha512(settings.FACTOR_KEY.encode()).digest())
