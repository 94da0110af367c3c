"""Seal tigercore's secrets under a root key that this machine holds."""
