"""Hadoop's connector to S3, which EMR has and a Spark from PyPI lacks: fetched once by coordinates, compared with the pinned digests, kept.

Spark's own Ivy fetches it, as it does the Delta jars (`jobs/runtime/jars.py`). Only the embedded AWS needs it.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import tempfile
from pathlib import Path

from jobs.errors import DownloadError
from jobs.runtime.jars import spark_home
from jobs.runtime.java import find_java
from jobs.runtime.java_trust import PASSWORD, java_trust_store

_SDK = "software.amazon.awssdk"
_COORDINATES = (
    "org.apache.hadoop:hadoop-aws:3.4.1",  # of the Hadoop that Spark 4.0.2 carries
    *(f"{_SDK}:{part}:2.25.53" for part in ("s3", "s3-transfer-manager", "sts", "apache-client")),
)
# The bundle is the whole SDK (558 MB); the others stand among Spark's own jars, or serve calls that S3A does not make.
_UNWANTED = (
    f"{_SDK}:bundle",
    f"{_SDK}:netty-nio-client",
    "commons-*:*",
    "io.netty:*",
    "org.apache.httpcomponents:*",
    "org.slf4j:*",
)

# File as Ivy names it → SHA-256: everything that the coordinates pull.
_DIGESTS = {
    "org.apache.hadoop_hadoop-aws-3.4.1.jar": "01334a07e179cae2b7e251f24857f11e3759108c9d6a79dcbe362a4295227da2",
    "org.reactivestreams_reactive-streams-1.0.4.jar": "f75ca597789b3dac58f61857b9ac2e1034a68fa672db35055a8fb4509e325f28",
    "org.wildfly.openssl_wildfly-openssl-1.1.3.Final.jar": "4e7d50a877822ba7561fa6a0109691b30b23a784eba3f3f8fbbf5ea866500786",
    "software.amazon.awssdk_annotations-2.25.53.jar": "02a41169af5a8a7200cf3e6f24d7ed741dcc342cc8a157d91d364092d374655c",
    "software.amazon.awssdk_apache-client-2.25.53.jar": "eb4825d0ab7a1b38a155f40062ea1f54fed62541bd58e02de800067d5db52e50",
    "software.amazon.awssdk_arns-2.25.53.jar": "9b43fea45ca019e58fed7a674bec76cc0e00efcfe71fbd8679f45654e8405c77",
    "software.amazon.awssdk_auth-2.25.53.jar": "88fe05468c514a053e835682d2dc0af8970c1a3708c0328b8e4f57dd0b4403a2",
    "software.amazon.awssdk_aws-core-2.25.53.jar": "2c347bb3de606ede61ade1cc4d5636337ddb890e9ca653ca2d0900372677b5b2",
    "software.amazon.awssdk_aws-query-protocol-2.25.53.jar": "f2ed07a0f5e5a04b30efd764f9c9096d4344006d94b4a910ee7b585c3d7035e1",
    "software.amazon.awssdk_aws-xml-protocol-2.25.53.jar": "c11d5c7e71d27370e8f9b06b6e504e893adaae5621b3bb6bb1c8c88368936c4d",
    "software.amazon.awssdk_checksums-2.25.53.jar": "09b1b06495c8f9afc570618f059b4c53b4de8ee341fd04faf0e5271133ffc6bf",
    "software.amazon.awssdk_checksums-spi-2.25.53.jar": "a50f5e5173fe9f61dca87c79842f68947cde33ad44ba1d0b786b5b1cb0bdccd9",
    "software.amazon.awssdk_crt-core-2.25.53.jar": "7f3be3fdefd6857c057d109ae5192604a10e47fe13aadee6691c0a92fc6b2515",
    "software.amazon.awssdk_endpoints-spi-2.25.53.jar": "3a1163424db2f4d52f2f0127731a80354dd846a35bb711758d9480bbf8788197",
    "software.amazon.awssdk_http-auth-2.25.53.jar": "1aa08c6c28314d5f375bdf45caff114c84d6ad4e39f22bd7685b64452137aa6a",
    "software.amazon.awssdk_http-auth-aws-2.25.53.jar": "fb94551335410ecfdd0e0b9a35e4458873e349fc49078cbe6e9cdaca20dff3f8",
    "software.amazon.awssdk_http-auth-spi-2.25.53.jar": "16211871156be3da53593d1e0aeb8a8a91b688d86b87d636576932f8147d5ba4",
    "software.amazon.awssdk_http-client-spi-2.25.53.jar": "2c4ab7f914406186c5e24715bde6765836f601d73961a6fb67f810bb6310b8b0",
    "software.amazon.awssdk_identity-spi-2.25.53.jar": "2f19bdc656a71aed696606c026b916df371e8a17956e8cd30b762e069bf7ca13",
    "software.amazon.awssdk_json-utils-2.25.53.jar": "9e9bbc4b445caaeaf537c4f684777688f83f363b9e432288f447342f0f157129",
    "software.amazon.awssdk_metrics-spi-2.25.53.jar": "5951b866805f899ef52597a3430cf8126fe2ec36a2b5941799c760a984e57571",
    "software.amazon.awssdk_profiles-2.25.53.jar": "281e95c4e51afce32a1964c216eed2832e95be7b713d713a3b1b3c3bc1e52f92",
    "software.amazon.awssdk_protocol-core-2.25.53.jar": "8b55ef783d9758ccfcbdf86616c0693337b99e990b75dc6fdbf9ed85ede41e39",
    "software.amazon.awssdk_regions-2.25.53.jar": "c436ef3c138d48705932e8a6c82dbdd4b3c1f29841209a1c872a695fef50a423",
    "software.amazon.awssdk_s3-2.25.53.jar": "1effdd9cfcdc12a46fbe8becb198be45becccfeafef86201b684f37a3991f261",
    "software.amazon.awssdk_s3-transfer-manager-2.25.53.jar": "2b51137613763e39de35fea6519dc9d871915c9e4d5190be2b8ad71537c4b4ec",
    "software.amazon.awssdk_sdk-core-2.25.53.jar": "d606f6838478c61be2c9e4ef99b78a5e5baa6045e51fd657412a612f293f9969",
    "software.amazon.awssdk_sts-2.25.53.jar": "4da3245415bd2141442dad021bc55b75cd48373bb6b250914720dc67f3051c67",
    "software.amazon.awssdk_third-party-jackson-core-2.25.53.jar": "e4635cb3db754ed2431fc7a5065eb52cee385ee228f1470eb5065ecb90902e55",
    "software.amazon.awssdk_utils-2.25.53.jar": "051786beb01d2a742dd18f1160361e76b7e5069cf1156bc206af7dd9f9fd12b8",
    "software.amazon.eventstream_eventstream-1.0.1.jar": "0c37d8e696117f02c302191b8110b0d0eb20fa412fce34c3a269ec73c16ce822",
}


def s3_connector(cache: Path) -> list[Path]:
    """The connector's jars in `cache`, each with its pinned digest. The network is used only while one of them is not there.

    Raises: DownloadError if they cannot be fetched or are not the pinned ones.
    """
    kept = {cache / "s3-connector" / name: digest for name, digest in _DIGESTS.items()}
    if not all(path.is_file() and _sha256(path) == digest for path, digest in kept.items()):
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache, prefix="fetching-") as folder:
            _fetch(Path(folder), cache)
            _require_pinned(Path(folder, "jars"))
            for path in kept:  # whole files: two servers may both fetch
                path.parent.mkdir(exist_ok=True)
                Path(folder, "jars", path.name).replace(path)
    return list(kept)


def _fetch(folder: Path, cache: Path) -> None:
    """Into `folder`/jars."""
    command = [str(spark_home() / "bin" / "spark-submit"), "--master", "local", "--conf", f"spark.jars.ivy={folder}"]
    if trusted := java_trust_store(folder / "trusted.jks"):
        options = f'"-Djavax.net.ssl.trustStore={trusted}" -Djavax.net.ssl.trustStorePassword={PASSWORD}'
        command += ["--driver-java-options", options]
    command += ["--packages", ",".join(_COORDINATES), "--exclude-packages", ",".join(_UNWANTED)]
    # spark-submit resolves, then runs a class: printing its own version is the shortest job there is
    command += ["--class", "org.apache.spark.deploy.SparkSubmit", "spark-internal", "--version"]
    own = {"JAVA_HOME": str(find_java(cache)), "SPARK_HOME": str(spark_home()), "SPARK_LOCAL_IP": "127.0.0.1"}
    done = subprocess.run(command, env=os.environ | own, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise DownloadError(
            f"Fetching {', '.join(_COORDINATES)}: expected Spark's Ivy to deliver them, got {done.stderr[-300:]!r}. Check "
            "the network, or name a mirror in DEFAULT_ARTIFACT_REPOSITORY, then run the same step again; they are fetched once."
        )


def _require_pinned(folder: Path) -> None:
    got = {path.name: _sha256(path) for path in folder.iterdir()}
    if wrong := sorted(name for name, _ in got.items() ^ _DIGESTS.items()):
        raise DownloadError(
            f"Fetching the S3 connector: expected the files and digests of infra/local/s3_connector.py, got others for "
            f"{sorted(set(wrong))[:5]!r}. None was kept. Find out which mirror or local repository delivers other files."
        )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
