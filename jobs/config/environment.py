"""Where pipelines run: the typed, frozen model of one file in conf/environments/."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, StrictInt, model_validator

from jobs.config.aws import Connection, Emr, GlueCatalog, Placement, RedshiftWarehouse, RoleArn, S3Url
from jobs.config.frozen import Frozen, Name


class EmbeddedWarehouse(Frozen):
    """The embedded Postgres of a laptop; TIDEMARK_WAREHOUSE_URL overrides it."""

    type: Literal["embedded_postgres"]


class InProcess(Frozen):
    """Spark inside the command's own process."""

    type: Literal["in_process"]
    cores: StrictInt = Field(default=2, ge=1, description="Tasks at a time.")
    memory_gb: StrictInt = Field(default=2, ge=1, description="Of the JVM.")


Warehouse = Annotated[EmbeddedWarehouse | RedshiftWarehouse, Field(discriminator="type")]
Compute = Annotated[InProcess | Emr, Field(discriminator="type")]


class Environment(Frozen):
    """One environment; `local` needs no AWS."""

    environment: Name = Field(description="The file's own name.")
    region: str | None = Field(default=None, description="AWS region; absent where nothing is on AWS.")
    role_arn: RoleArn | None = Field(
        default=None, description="The role that submits, loads and reports, as Airflow does."
    )
    lake_url: S3Url | None = Field(
        default=None,
        description="s3://bucket/prefix; absent: the folder $TIDEMARK_HOME/lake. TIDEMARK_LAKE_URL overrides it.",
    )
    warehouse: Warehouse = Field(description="Where published tables and reports are.")
    compute: Compute = Field(description="Where Spark runs.")
    catalog: GlueCatalog | None = Field(
        default=None, description="Where curated tables are registered for other readers."
    )
    connections: Mapping[Name, Connection] = Field(default_factory=dict, description="Pipeline → its Postgres source.")
    late_request_seconds: float = Field(
        default=120.0,
        ge=0,
        description="How long requests of a run that was killed may still reach S3: its successor waits so long.",
    )
    pipelines: Mapping[Name, Placement] = Field(
        default_factory=dict, description="What differs from pipeline to pipeline."
    )

    @model_validator(mode="after")
    def _names_what_aws_needs(self) -> Environment:
        if isinstance(self.compute, Emr) or isinstance(self.warehouse, RedshiftWarehouse):
            missing = [name for name in ("region", "lake_url") if getattr(self, name) is None]
            if missing:
                raise ValueError(f"expected {' and '.join(missing)}, which EMR and Redshift need")
        return self
