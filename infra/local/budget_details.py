"""The tags and the subscribers of a budget. moto drops the ones and never tells the others."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from moto.budgets.exceptions import NotFoundException
from moto.budgets.models import Budget
from moto.budgets.responses import BudgetsResponse

from infra.local.operations import put_into

Response = BudgetsResponse


def install() -> None:
    put_into(
        Response,
        create_budget=_with_tags(Response.create_budget),
        describe_subscribers_for_notification=_describe_subscribers_for_notification,
        list_tags_for_resource=_list_tags_for_resource,
        tag_resource=_tag_resource,
        untag_resource=_untag_resource,
    )


def _with_tags(create_budget: Callable[[Response], str]) -> Callable[[Response], str]:
    def create(self: Response) -> str:
        made, given = create_budget(self), json.loads(self.body)
        _tags(_budget(self, given["AccountId"], given["Budget"]["BudgetName"])).update(
            _by_key(given.get("ResourceTags", []))
        )
        return made

    return create


def _describe_subscribers_for_notification(self: Response) -> str:
    given = json.loads(self.body)
    for notification in _budget(self, given["AccountId"], given["BudgetName"]).notifications:
        if notification.details == given["Notification"]:
            return json.dumps({"Subscribers": notification.subscribers})
    raise NotFoundException("Unable to get subscribers: the notification doesn't exist.")


def _list_tags_for_resource(self: Response) -> str:
    return json.dumps({"ResourceTags": [{"Key": key, "Value": value} for key, value in _tags(_of_arn(self)).items()]})


def _tag_resource(self: Response) -> str:
    _tags(_of_arn(self)).update(_by_key(json.loads(self.body)["ResourceTags"]))
    return "{}"


def _untag_resource(self: Response) -> str:
    for key in json.loads(self.body)["ResourceTagKeys"]:
        _tags(_of_arn(self)).pop(key, None)
    return "{}"


def _of_arn(self: Response) -> Budget:
    """arn:aws:budgets::<account>:budget/<name>"""
    arn = json.loads(self.body)["ResourceARN"]
    return _budget(self, arn.split(":")[4], arn.partition("/")[2])


def _budget(self: Response, account: str, name: str) -> Budget:
    if name not in self.backend.budgets[account]:
        raise NotFoundException(f"Unable to get budget: {name} - the budget doesn't exist.")
    return self.backend.budgets[account][name]


def _tags(budget: Budget) -> dict[str, str]:
    found: dict[str, str] = budget.__dict__.setdefault("tags", {})
    return found


def _by_key(tags: list[dict[str, Any]]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in tags}
