"""The TGC1 envelope and the key ring, shared by the ciphers of tigercore."""

from tigercore_envelope.cipher import EnvelopeCipher as EnvelopeCipher
from tigercore_envelope.envelope import Malformed as Malformed
from tigercore_envelope.envelope import Tampered as Tampered
from tigercore_envelope.envelope import WrongKeyOrContext as WrongKeyOrContext
from tigercore_envelope.envelope import seal as seal
from tigercore_envelope.envelope import unseal as unseal
from tigercore_envelope.kek import Kek as Kek
from tigercore_envelope.lp import lp as lp
from tigercore_envelope.ring import UnlockedRing as UnlockedRing
from tigercore_envelope.root import Root as Root
