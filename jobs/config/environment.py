"""Where pipelines run: the typed, frozen model of one file in conf/environments/."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from jobs.config.pipeline import Frozen, Name


class EmbeddedWarehouse(Frozen):
    """The embedded Postgres of a laptop; TIDEMARK_WAREHOUSE_URL overrides it."""

    type: Literal["embedded_postgres"]


class InProcess(Frozen):
    """Spark inside the command's own process."""

    type: Literal["in_process"]
    cores: int = Field(default=2, ge=1)
    memory_gb: int = Field(default=2, ge=1)


class Environment(Frozen):
    """One environment; `local` needs no AWS."""

    environment: Name
    lake_url: str
    warehouse: EmbeddedWarehouse
    compute: InProcess
