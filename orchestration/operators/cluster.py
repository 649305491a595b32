"""A cluster for one DAG run."""

from __future__ import annotations

from typing import Any

from airflow.providers.amazon.aws.operators.emr import EmrCreateJobFlowOperator
from airflow.sdk import Context

from jobs.emr.clusters import clusters_named, described, require_ours, waiting_cluster_request
from jobs.emr.request import clusters_of
from jobs.emr.submit import require_emr
from orchestration.operators.work import Work, run_id_of


class ClusterOperator(EmrCreateJobFlowOperator):
    """The provider's operator, after a look whether an earlier try has made the cluster: a worker that is lost leaves none behind.

    Returns the cluster's id. It waits for steps until it is terminated.
    """

    template_fields = ()

    def __init__(self, *, work: Work, steps_at_once: int, **kwargs: Any):
        super().__init__(emr_conn_id=None, aws_conn_id=work.connection, **kwargs)
        self.work, self.steps_at_once = work, steps_at_once

    def execute(self, context: Context) -> str | None:
        with self.work.session() as session:
            compute = require_emr(session.project.environment)
            name = f"{clusters_of(self.work.environment, self.work.pipeline)}{run_id_of(context)}"
            emr = self.hook.conn
            for cluster in clusters_named(emr, name, days=1, active_only=True):
                require_ours(described(emr, cluster), compute)
                self.log.info("cluster %s of an earlier try is there", cluster)
                return cluster
        self.job_flow_overrides = waiting_cluster_request(compute, name, self.steps_at_once)
        return super().execute(context)
