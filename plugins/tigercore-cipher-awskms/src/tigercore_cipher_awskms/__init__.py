"""Seal tigercore's secrets under a root key that AWS KMS holds."""

from tigercore_cipher_awskms.cipher import AwsKmsCipher as AwsKmsCipher
from tigercore_cipher_awskms.options import AwsKmsOptions as AwsKmsOptions
from tigercore_cipher_awskms.root import AwsKmsRoot as AwsKmsRoot
