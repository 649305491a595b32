"""Where the files of a batch lie in the lake, between its plan and its outcome."""

from __future__ import annotations

from jobs.batches import Plan


def landing_folder(plan: Plan) -> str:
    return f"landing/{plan.pipeline}/{plan.feed}/date={plan.as_of:%Y-%m-%d}/batch={plan.number}"


def attempt_folder(plan: Plan, attempt: str) -> str:
    return f"{landing_folder(plan)}/attempt={attempt}"


def changes_folder(plan: Plan, attempt: str, table: str) -> str:
    """Where the changes that a batch makes to a table are stored before they are committed."""
    return f"{attempt_folder(plan, attempt)}/_changes/{table}"
