"""The TGC1 envelope and the key ring, shared by the ciphers of tigercore."""
