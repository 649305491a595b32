"""A pipeline's reports, printed into the task's log."""

from __future__ import annotations

from typing import Any

from airflow.sdk import BaseOperator, Context
from rich.console import Console

from orchestration.operators.work import Work, as_of

_ROWS = 40


class ReportOperator(BaseOperator):
    """Runs every report of the pipeline as of the run's time; fails if one cannot run."""

    def __init__(self, *, work: Work, **kwargs: Any):
        super().__init__(**kwargs)
        self.work = work

    def execute(self, context: Context) -> None:
        from jobs import printing  # these two take longer to import than all DAGs to parse
        from jobs.warehouse.reports import run_report

        with self.work.session() as session, session.warehouse() as warehouse:
            for name in session.project.pipeline(self.work.pipeline).reports:
                table = run_report(warehouse, name, session.project.report_sql(name), as_of(context))
                printing.print_report(Console(width=160), name, table, _ROWS)
