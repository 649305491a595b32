"""Where pipelines run: the typed, frozen model of one file in conf/environments/."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StrictInt

from jobs.config.frozen import Frozen, Name

S3_URL = r"^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[^/\s]+)*/?$"


class EmbeddedWarehouse(Frozen):
    """The embedded Postgres of a laptop; TIDEMARK_WAREHOUSE_URL overrides it."""

    type: Literal["embedded_postgres"]


class InProcess(Frozen):
    """Spark inside the command's own process."""

    type: Literal["in_process"]
    cores: StrictInt = Field(default=2, ge=1, description="Tasks at a time.")
    memory_gb: StrictInt = Field(default=2, ge=1, description="Of the JVM.")


class Environment(Frozen):
    """One environment; `local` needs no AWS."""

    environment: Name = Field(description="The file's own name.")
    lake_url: Annotated[str, Field(pattern=S3_URL)] | None = Field(
        default=None,
        description="s3://bucket/prefix; absent: the folder $TIDEMARK_HOME/lake. TIDEMARK_LAKE_URL overrides it.",
    )
    warehouse: EmbeddedWarehouse = Field(description="Where published tables and reports are.")
    compute: InProcess = Field(description="Where Spark runs.")
