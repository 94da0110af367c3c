"""Seal tigercore's secrets under a root that this machine, or a person at it, holds."""

from tigercore_cipher_local.cipher import LocalCipher as LocalCipher
from tigercore_cipher_local.cipher import LocalOptions as LocalOptions
from tigercore_cipher_local.passphrase import suggest_passphrase as suggest_passphrase
