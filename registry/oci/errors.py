"""What can go wrong, in the words of the distribution-spec: one class a fact, one table of codes and statuses."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar


class ErrorCode(StrEnum):
    """The list of codes, which is closed for 4xx (distribution-spec, Error Codes), and one of our own for 5xx."""

    BLOB_UNKNOWN = "BLOB_UNKNOWN"
    BLOB_UPLOAD_INVALID = "BLOB_UPLOAD_INVALID"
    BLOB_UPLOAD_UNKNOWN = "BLOB_UPLOAD_UNKNOWN"
    DIGEST_INVALID = "DIGEST_INVALID"
    MANIFEST_BLOB_UNKNOWN = "MANIFEST_BLOB_UNKNOWN"
    MANIFEST_INVALID = "MANIFEST_INVALID"
    MANIFEST_UNKNOWN = "MANIFEST_UNKNOWN"
    NAME_INVALID = "NAME_INVALID"
    NAME_UNKNOWN = "NAME_UNKNOWN"
    SIZE_INVALID = "SIZE_INVALID"
    UNAUTHORIZED = "UNAUTHORIZED"
    DENIED = "DENIED"
    UNSUPPORTED = "UNSUPPORTED"
    TOOMANYREQUESTS = "TOOMANYREQUESTS"
    UNAVAILABLE = "UNAVAILABLE"


class RegistryError(Exception):
    """A refusal with its code, status and message; `detail` is what a client may act on, and is public.

    `retry_after` is in seconds, where it is worth a client's while to come again.
    """

    code: ClassVar[ErrorCode] = ErrorCode.UNSUPPORTED
    status: ClassVar[int] = 400
    message: str = "the operation is unsupported"
    retry_after: int | None = None

    def __init__(self, **detail: object) -> None:
        super().__init__(self.message, detail)
        self.detail = detail


class BlobUnknown(RegistryError):
    """The repository serves no such blob."""

    code, status, message = ErrorCode.BLOB_UNKNOWN, 404, "blob unknown to registry"


class UploadUnknown(RegistryError):
    """No such upload session in this repository, for this caller: ended, expired, or never begun."""

    code, status, message = ErrorCode.BLOB_UPLOAD_UNKNOWN, 404, "blob upload unknown to registry"


class UploadInvalid(RegistryError):
    """The request does not fit its upload session."""

    code, status, message = ErrorCode.BLOB_UPLOAD_INVALID, 400, "blob upload invalid"


class UploadTakenOver(RegistryError):
    """A later request for the same session came while this one was sending; what it sent so far is kept or cut."""

    code, status, message = ErrorCode.BLOB_UPLOAD_INVALID, 409, "another request has taken over this blob upload"


class ChunkOutOfOrder(RegistryError):
    """A chunk does not begin where its upload session ends (distribution-spec, Pushing a blob in chunks)."""

    code, status, message = ErrorCode.BLOB_UPLOAD_INVALID, 416, "chunk does not begin at the offset of the blob upload"


class DigestInvalid(RegistryError):
    """A digest that is malformed, of an unknown algorithm, or not that of the content."""

    code, status, message = ErrorCode.DIGEST_INVALID, 400, "provided digest did not match uploaded content"


class SizeInvalid(RegistryError):
    """Fewer or more bytes than were announced."""

    code, status, message = ErrorCode.SIZE_INVALID, 400, "provided length did not match content length"


class ManifestUnknown(RegistryError):
    """The repository has no such tag or manifest."""

    code, status, message = ErrorCode.MANIFEST_UNKNOWN, 404, "manifest unknown to registry"


class ManifestInvalid(RegistryError):
    """Not a manifest, or one that contradicts itself."""

    code, status, message = ErrorCode.MANIFEST_INVALID, 400, "manifest invalid"


class ManifestTooLarge(RegistryError):
    """Over the limit of one manifest (distribution-spec, Pushing Manifests)."""

    code, status, message = ErrorCode.MANIFEST_INVALID, 413, "manifest larger than this registry accepts"


class TooManyTags(RegistryError):
    """More tags in one request than we take (distribution-spec, end-7b)."""

    code, status, message = ErrorCode.MANIFEST_INVALID, 414, "too many tags in one request"


class ManifestPartsUnknown(RegistryError):
    """The manifest names content that this repository does not hold; `detail` lists the digests."""

    code, status, message = (
        ErrorCode.MANIFEST_BLOB_UNKNOWN,
        404,
        "manifest references a manifest or blob unknown to registry",
    )


class PreconditionFailed(RegistryError):
    """`If-Match` or `If-None-Match` does not hold (RFC 9110, section 13.1)."""

    code, status, message = ErrorCode.DENIED, 412, "the reference is not in the state the request requires"


class NameInvalid(RegistryError):
    """Not a repository name."""

    code, status, message = ErrorCode.NAME_INVALID, 400, "invalid repository name"


class NameUnknown(RegistryError):
    """No such repository."""

    code, status, message = ErrorCode.NAME_UNKNOWN, 404, "repository name not known to registry"


class Unauthorized(RegistryError):
    """Nobody we know asked, or somebody who may not know whether this exists."""

    code, status, message = ErrorCode.UNAUTHORIZED, 401, "authentication required"


class Denied(RegistryError):
    """We know who asks, and the answer is no."""

    code, status, message = ErrorCode.DENIED, 403, "requested access to the resource is denied"


class TagMayNotMove(Denied):
    """The caller may add tags, and this one is there and points elsewhere; docker prints these words, and no detail."""

    code, status, message = ErrorCode.DENIED, 403, "the tag is there already, and may not be moved"


class TagImmutable(Denied):
    """A rule keeps the tag where it is; `detail` names the rule, docker prints these words alone."""

    code, status, message = ErrorCode.DENIED, 403, "the tag is immutable, and can be neither moved nor deleted"


class QuotaExceeded(Denied):
    """A project, or what a user owns, would have more than it may; `detail` has the numbers."""

    code, status, message = ErrorCode.DENIED, 403, "quota exceeded"

    def __init__(self, told: str = "", **detail: object) -> None:
        if told:
            # In the message, because docker prints that and no detail.
            self.message = f"{self.message}: {told}"
        super().__init__(**detail)


class Unsupported(RegistryError):
    """A request that this registry does not serve in this form."""

    code, status, message = ErrorCode.UNSUPPORTED, 400, "the operation is unsupported"


class NotAllowed(RegistryError):
    """The operation would break something that still stands; `detail` names it."""

    code, status, message = (
        ErrorCode.UNSUPPORTED,
        405,
        "the operation is unsupported while something depends on its target",
    )


class PageInvalid(RegistryError):
    """A page was asked for in a way that has no answer."""

    code, status, message = ErrorCode.UNSUPPORTED, 400, "invalid page"


class RouteUnknown(RegistryError):
    """No endpoint has this path."""

    code, status, message = ErrorCode.UNSUPPORTED, 404, "no such endpoint"


class MethodNotAllowed(RegistryError):
    """The endpoint has no such method."""

    code, status, message = ErrorCode.UNSUPPORTED, 405, "method not allowed"


class StorageFull(RegistryError):
    """There is no room for the content; what it took so far has been given back."""

    # Not 507: docker reads the words of a 4xx only, and answers any 5xx by pushing the layer four times more.
    code, status, message = ErrorCode.DENIED, 413, "no space left to store the content"


class Busy(RegistryError):
    """Too much at once; `Retry-After` says when to come back."""

    code, status, message = ErrorCode.TOOMANYREQUESTS, 429, "too many requests"
    retry_after = 1


class Unavailable(RegistryError):
    """The database or the store does not answer, and has been asked again; `Retry-After` says when to come back."""

    code, status, message = ErrorCode.UNAVAILABLE, 503, "the registry is not able to answer for the moment"
    retry_after = 1
