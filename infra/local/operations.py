"""How parts of ours get into moto: a service there is a class, and an operation its method by its snake-case name."""

from __future__ import annotations

from typing import Any


def put_into(owner: type, **members: Any) -> None:
    """Gives a class of moto what it lacks, or ours in place of its own."""
    for name, member in members.items():
        setattr(owner, name, member)
