"""What IAM would say: the rules of its user guide ("Policy evaluation logic"), for the conditions that this project uses.

Written for the tests, from the guide alone: it shares nothing with what the policies were written or tried with.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

Statement = Mapping[str, Any]
Facts = Mapping[str, str]


@dataclass(frozen=True)
class Request:
    """`facts` are condition keys by name; one that is absent is absent from the request."""

    action: str
    resource: str
    facts: Facts


def allows(policies: Iterable[Mapping[str, Any]], request: Request) -> bool:
    """Whether some statement allows and none denies."""
    effects = {statement["Effect"] for statement in statements(policies) if _applies(statement, request)}
    return effects == {"Allow"}


def statements(policies: Iterable[Mapping[str, Any]]) -> Iterator[Statement]:
    for policy in policies:
        yield from listed(policy["Statement"])


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _applies(statement: Statement, request: Request) -> bool:
    assert not {"NotAction", "NotResource", "NotPrincipal"} & statement.keys(), statement
    actions = [action.lower() for action in listed(statement["Action"])]
    resources = listed(statement.get("Resource", "*"))
    return (
        any(fnmatchcase(request.action.lower(), action) for action in actions)
        and any(_matches(request.resource, pattern) for pattern in resources)
        and all(
            _holds(operator, request.facts.get(key), [str(value) for value in listed(wanted)])
            for operator, keys in statement.get("Condition", {}).items()
            for key, wanted in keys.items()
        )
    )


def _holds(operator: str, fact: str | None, wanted: list[str]) -> bool:
    """Values are alternatives; but for Null, a negated or an …IfExists operator, an absent key does not hold."""
    if operator == "Null":
        return str(fact is None).lower() in wanted
    if operator.endswith("IfExists"):
        return fact is None or _holds(operator.removesuffix("IfExists"), fact, wanted)
    if operator in ("StringNotEquals", "ArnNotEquals"):
        return fact not in wanted
    if operator in ("StringNotLike", "ArnNotLike"):
        return fact is None or not any(_matches(fact, value) for value in wanted)
    if fact is None:
        return False
    if operator in ("StringEquals", "Bool"):
        return fact in wanted
    if operator in ("StringLike", "ArnLike", "ArnEquals"):
        return any(_matches(fact, value) for value in wanted)
    if operator == "ForAllValues:StringEquals":
        return set(fact.split()) <= set(wanted)
    if operator == "ForAnyValue:StringEquals":
        return bool(set(fact.split()) & set(wanted))
    raise AssertionError(f"The evaluator of the tests does not know the operator {operator}.")


def _matches(text: str, pattern: str) -> bool:
    """IAM's * and ?; brackets mean nothing there."""
    return fnmatchcase(text, pattern.replace("[", "[[]"))
