"""Call the Tiger OpenAPI gateway over HTTP: signatures, tokens, typed errors."""
