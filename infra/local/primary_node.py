"""The node on which a cluster's steps run: its Spark, its Python, and who the steps are."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from threading import Lock

from moto.emr.models import Cluster

from infra.local.role_sessions import require_trust, role_session
from infra.local.spark_home import delta_class_path, make_python, make_spark_home
from jobs.runtime.jars import user_cache
from jobs.runtime.java import find_java


class PrimaryNode:
    """Everything in `folder`; made by the first step that asks, so that clusters without steps cost nothing."""

    def __init__(self, cluster: Cluster, role_arn: str, endpoint: str, folder: Path) -> None:
        """`role_arn` is that of the instance profile."""
        self._cluster = cluster
        self._role_arn = role_arn
        self._endpoint = endpoint
        self._region = cluster.emr_backend.region_name
        self._one_at_a_time = Lock()
        self.folder = folder

    def session(self, name: str, runtime_role: str | None = None) -> dict[str, str]:
        """The client variables of a runtime role, by default of the node's own. Raises PermissionError for a role that does not trust it."""
        if runtime_role is not None:
            require_trust(runtime_role, self._role_arn)
        return role_session(runtime_role or self._role_arn, name, self._endpoint, self._region)

    def environment(self, home: Path, session: Mapping[str, str]) -> dict[str, str]:
        """All that a program gets: nothing of this process. Raises DownloadError if Spark's connector cannot be fetched."""
        with self._one_at_a_time:
            spark, python, java = self._spark, self._python, self._java
        return {
            "PATH": f"{python}:{spark / 'bin'}:/usr/local/bin:/usr/bin:/bin",
            "HOME": str(home),
            "JAVA_HOME": str(java),
            "SPARK_HOME": str(spark),
            **session,
        }

    @cached_property
    def _java(self) -> Path:
        return find_java(user_cache())

    @cached_property
    def _python(self) -> Path:
        return make_python(self.folder / "python")

    @cached_property
    def _spark(self) -> Path:
        has_delta = self._properties("delta-defaults").get("delta.enabled") == "true"
        settings = (delta_class_path() if has_delta else {}) | self._properties("spark-defaults")
        return make_spark_home(self.folder / "spark", self._python, self._endpoint, self._region, settings)

    def _properties(self, classification: str) -> dict[str, str]:
        """Of the cluster's configurations (EMR Release Guide, "Configure applications")."""
        found: dict[str, str] = {}
        for configuration in self._cluster.configurations:
            if configuration["Classification"] == classification:
                found |= configuration["Properties"].original_dict()
        return found
