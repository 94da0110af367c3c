"""Seal tigercore's secrets under a root key that this machine holds."""

from tigercore_cipher_local.cipher import LocalCipher as LocalCipher
from tigercore_cipher_local.cipher import LocalOptions as LocalOptions
