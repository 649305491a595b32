"""What an AWS environment names: clusters, warehouse, catalogue, secrets. Terraform makes it and writes it (`make env`); no secret here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, StrictInt, model_validator

from jobs.config.frozen import Frozen, Name

S3_URL = r"^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[^/\s]+)*/?$"
S3Url = Annotated[str, Field(pattern=S3_URL)]
RoleArn = Annotated[str, Field(pattern=r"^arn:[a-z-]+:iam::[0-9]{12}:role/[^*\s]+$")]


class Connection(Frozen):
    """A pipeline's Postgres source."""

    secret: str = Field(description="Name of the secret that holds postgresql://…")


class GlueCatalog(Frozen):
    """Where the curated tables are registered."""

    type: Literal["glue"]
    databases: Mapping[Name, str] = Field(description="Pipeline → its Glue database.")
    workgroup: str = Field(description="The Athena workgroup to query them in.")


class RedshiftWarehouse(Frozen):
    """Redshift through its Data API: a serverless workgroup, or a provisioned cluster."""

    type: Literal["redshift"]
    database: Name = Field(description="The database that pipelines have their schemas in.")
    workgroup: str | None = Field(default=None, description="Of a serverless warehouse.")
    cluster: str | None = Field(default=None, description="Identifier of a provisioned warehouse.")
    copy_role: RoleArn = Field(description="The role that COPY reads the exported files with.")

    @model_validator(mode="after")
    def _is_of_one_kind(self) -> RedshiftWarehouse:
        if (self.workgroup is None) == (self.cluster is None):
            raise ValueError("expected either workgroup or cluster, got both or neither")
        return self


class Configuration(Frozen):
    """One EMR classification."""

    classification: str = Field(description="As in EMR's documentation, for instance delta-defaults.")
    properties: Mapping[str, str] = Field(description="Its settings.")


class SecurityGroups(Frozen):
    """The groups that EMR is given for a cluster's nodes."""

    primary: str = Field(description="Of the primary node.")
    core: str = Field(description="Of core and task nodes.")
    service: str = Field(description="For EMR's own access to the nodes.")


class Instances(Frozen):
    """The nodes of a transient cluster: one primary, core nodes on demand, task nodes on Spot."""

    primary_type: str = Field(description="Instance type of the primary node.")
    core_type: str = Field(description="Instance type of core nodes.")
    core_count: StrictInt = Field(ge=1, description="Number of core nodes.")
    task_type: str = Field(description="Instance type of task nodes.")
    task_spot_count: StrictInt = Field(ge=0, description="Number of task nodes; 0: none.")


class Emr(Frozen):
    """Steps on EMR: what a cluster is launched with, and what steps run as."""

    type: Literal["emr"]
    release_label: str = Field(description="EMR's release; jobs/versions.py names the same Spark, Delta and Python.")
    applications: tuple[str, ...] = Field(description="What EMR installs.")
    configurations: tuple[Configuration, ...] = Field(description="How it configures them.")
    service_role: str = Field(description="Name of EMR's own role.")
    instance_profile: str = Field(description="Name of the nodes' instance profile.")
    subnet_ids: tuple[str, ...] = Field(min_length=1, description="Private subnets; EMR chooses one.")
    security_groups: SecurityGroups = Field(description="Ids of the groups of nodes.")
    security_configuration: str = Field(description="Name of the configuration with encryption and runtime roles.")
    log_uri: S3Url = Field(description="Where EMR puts the logs of clusters and steps.")
    artifacts_uri: S3Url = Field(description="Where the archives that steps run are uploaded.")
    instances: Instances = Field(description="The nodes of a transient cluster.")
    tags: Mapping[str, str] = Field(description="All of them must be on a cluster: roles are bound to them.")
    job_roles: Mapping[Name, RoleArn] = Field(description="Pipeline → the role that its steps run with.")
    shared_cluster: str | None = Field(
        default=None, description="Id of the cluster for pipelines that run every few minutes."
    )


class Placement(Frozen):
    """Where one pipeline runs, if not on a transient cluster."""

    cluster: Literal["transient", "shared"] = Field(
        default="transient", description="A cluster for one run, or the shared one."
    )
