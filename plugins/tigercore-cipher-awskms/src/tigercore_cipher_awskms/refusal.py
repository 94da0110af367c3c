"""What botocore raises, in one line that says what to do. Nothing that was sent is in it."""

from __future__ import annotations

from typing import Any, Final

from tigercore.errors import KeyUnavailable
from tigercore_envelope import RootUnreachable, UnwrapFailed

NO_CREDENTIALS: Final = "no AWS credentials: give this process a role, a `profile`, or AWS_ACCESS_KEY_ID and its secret"

_CREDENTIALS = (
    "AWS does not know these credentials, or they have expired: "
    "give this process a role or `profile` that is valid (`aws sts get-caller-identity` tells), and a right clock"
)
_OTHER = (
    "another key wrapped this, in another context, or it was changed: `key_id` must name the key that made the ring"
)
_MATERIAL = (
    "the key is pending deletion or has no key material: while it is pending, "
    "`aws kms cancel-key-deletion` and `aws kms enable-key` bring it back"
)
_REFUSED: Final = {
    "NotFoundException": "there is no such key in this account and region: check `key_id` and `region`",
    "InvalidArnException": "`key_id` is no ARN of a KMS key: copy it from the console",
    "DisabledException": "the key is disabled: run `aws kms enable-key`",
    "KMSInvalidStateException": _MATERIAL,
    "InvalidKeyUsageException": "the key is not one that encrypts: name a symmetric key for ENCRYPT_DECRYPT",
    "AccessDeniedException": (
        "access denied: allow kms:Encrypt, kms:Decrypt and kms:DescribeKey on it in IAM, "
        "and let the key's own policy allow IAM"
    ),
    "AccessDenied": "the role of these credentials cannot be assumed: let its trust policy allow sts:AssumeRole",
    "InvalidCiphertextException": _OTHER,
    "IncorrectKeyException": _OTHER,
    **dict.fromkeys(
        (
            "ExpiredTokenException",
            "ExpiredToken",
            "RequestExpired",
            "UnrecognizedClientException",
            "InvalidClientTokenId",
            "InvalidSignatureException",
            "SignatureDoesNotMatch",
            "IncompleteSignature",
            "MissingAuthenticationToken",
            "MissingAuthenticationTokenException",
        ),
        _CREDENTIALS,
    ),
}
_LATER = frozenset(
    {
        "DependencyTimeoutException",
        "KMSInternalException",
        "KeyUnavailableException",  # its backing key, for now
        "LimitExceededException",
        "RequestLimitExceeded",
        "RequestTimeoutException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)


def refusal(error: Exception, key_id: str) -> KeyUnavailable:
    """Return what to raise in place of an error of botocore's (`BotoCoreError`, `ClientError`).

    It is `RootUnreachable` if the same call may pass a moment later.
    """
    from botocore.exceptions import ClientError

    if isinstance(error, ClientError):
        return _answered(error.response, key_id)
    return _not_asked(error, key_id)


def unreadable(key_id: str) -> RootUnreachable:
    """Return what to raise for an answer without what was asked for."""
    return RootUnreachable(f"{_name(key_id)}: the answer was cut short, or does not come from KMS: check the endpoint")


def _answered(response: Any, key_id: str) -> KeyUnavailable:
    code = str(response.get("Error", {}).get("Code", ""))[:64]
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code in _LATER or status == 429 or status >= 500:
        return RootUnreachable(f"{_name(key_id)}: KMS cannot answer now ({code}): look at its status and your quotas")
    kind = UnwrapFailed if _REFUSED.get(code) is _OTHER else KeyUnavailable
    return kind(f"{_name(key_id)}: {_REFUSED.get(code) or _unknown(code)}")


def _not_asked(error: Exception, key_id: str) -> KeyUnavailable:
    from botocore import exceptions as aws

    if isinstance(error, aws.SSLError):
        return RootUnreachable(f"{_name(key_id)}: no trusted TLS with KMS: set AWS_CA_BUNDLE to the CA you trust")
    if isinstance(error, (aws.ConnectionError, aws.HTTPClientError)):
        what = type(error).__name__
        return RootUnreachable(f"{_name(key_id)}: KMS does not answer ({what}): check the network and `endpoint_url`")
    for kinds, advice in _unset():
        if isinstance(error, kinds):
            return KeyUnavailable(f"{_name(key_id)}: {advice}")
    return KeyUnavailable(f"{_name(key_id)}: {_unknown(type(error).__name__)}")


def _unset() -> list[tuple[tuple[type[Exception], ...], str]]:
    from botocore import exceptions as aws

    return [
        ((aws.NoRegionError, aws.InvalidRegionError), "no AWS region: set `region`, or AWS_DEFAULT_REGION"),
        ((aws.ProfileNotFound,), "there is no such profile: set `profile` to one that ~/.aws/config has"),
        ((aws.NoCredentialsError, aws.PartialCredentialsError), NO_CREDENTIALS),
        ((aws.CredentialRetrievalError, aws.TokenRetrievalError, aws.SSOError, aws.LoginError), _CREDENTIALS),
    ]


def _unknown(what: str) -> str:
    return f"AWS refused ({what}): look it up in the reference of the KMS API"


def _name(key_id: str) -> str:
    return f"KMS key {key_id}"
