"""Seal tigercore's secrets under a root key that the Transit engine of HashiCorp Vault or OpenBao holds."""

from tigercore_cipher_vault.cipher import VaultCipher as VaultCipher
from tigercore_cipher_vault.options import VaultOptions as VaultOptions
