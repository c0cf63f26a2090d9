"""How a part is signed, seen in the request before it leaves; nothing is sent."""

import hashlib
import io
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from urllib3 import HTTPResponse

from registry.storage.s3_client import S3Settings, new_client

PART = b"part of a layer"


@pytest.mark.parametrize(
    ("endpoint", "summed"),
    [("http://store.test", hashlib.sha256(PART).hexdigest()), ("https://store.test", "UNSIGNED-PAYLOAD")],
)
def test_a_part_is_summed_for_the_store_where_no_tls_guards_it(endpoint: str, summed: str) -> None:
    sent: list[Any] = []

    def instead(request: Any, **_: object) -> AWSResponse:
        sent.append(request)
        return AWSResponse(request.url, 200, {"ETag": "tag"}, HTTPResponse(io.BytesIO()))

    client = new_client(S3Settings("bucket", endpoint=endpoint, access_key="access", secret_key="secret"))
    client.meta.events.register("before-send.s3.UploadPart", instead)
    client.upload_part(Bucket="bucket", Key="key", UploadId="upload", PartNumber=1, Body=PART)
    (request,) = sent
    assert request.headers["X-Amz-Content-SHA256"] in (summed, summed.encode())
