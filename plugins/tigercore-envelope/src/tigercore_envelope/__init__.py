"""The TGC1 envelope and the key ring, shared by the ciphers of tigercore."""

from tigercore_envelope.cipher import EnvelopeCipher as EnvelopeCipher
from tigercore_envelope.envelope import Malformed as Malformed
from tigercore_envelope.envelope import Tampered as Tampered
from tigercore_envelope.envelope import WrongKeyOrContext as WrongKeyOrContext
from tigercore_envelope.envelope import key_of as key_of
from tigercore_envelope.envelope import seal as seal
from tigercore_envelope.envelope import unseal as unseal
from tigercore_envelope.kek import Kek as Kek
from tigercore_envelope.lp import lp as lp
from tigercore_envelope.private_file import create_private as create_private
from tigercore_envelope.private_file import read_private as read_private
from tigercore_envelope.recovery import RecoveryCipher as RecoveryCipher
from tigercore_envelope.recovery import RecoveryOptions as RecoveryOptions
from tigercore_envelope.ring import UnlockedRing as UnlockedRing
from tigercore_envelope.root import Root as Root
from tigercore_envelope.root import RootUnreachable as RootUnreachable
from tigercore_envelope.root import UnwrapFailed as UnwrapFailed
