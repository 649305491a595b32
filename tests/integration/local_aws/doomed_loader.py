"""A loader that dies before or after its n-th effect: a call of the Data API that does more than look, or a put to S3."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

from jobs.runtime.storage import Lake


class KilledError(BaseException):
    """In place of SIGKILL: no `except` of the product stops it, and what is called after it does nothing."""


@dataclass
class Fate:
    """Counts the effects, and ends the process before or after one of them."""

    number: int = 0
    when: Literal["before", "after", "never"] = "never"
    effects: int = 0
    is_dead: bool = False

    def perform(self, effect: Callable[..., Any], *given: Any, **named: Any) -> Any:
        self.live()
        self.effects += 1
        self._die("before")
        answer = effect(*given, **named)
        self._die("after")
        return answer

    def live(self) -> None:
        if self.is_dead:
            raise KilledError

    def _die(self, when: str) -> None:
        self.is_dead = (self.effects, self.when) == (self.number, when)
        self.live()


class DoomedLake(Lake):
    def __init__(self, lake: Lake, fate: Fate) -> None:
        super().__init__(lake.root)
        self._fate = fate

    def create(self, path: str, content: bytes) -> bool:
        return bool(self._fate.perform(super().create, path, content))


class DoomedClient:
    """A Data API client of a process with that fate; also a session that makes it, and its paginator."""

    def __init__(self, real: Any, fate: Fate) -> None:
        self._real = real
        self._fate = fate

    def client(self, *given: Any, **named: Any) -> DoomedClient:
        return DoomedClient(self._real.client(*given, **named), self._fate)

    def get_paginator(self, name: str) -> DoomedClient:
        return DoomedClient(self._real.get_paginator(name), self._fate)

    def paginate(self, **named: Any) -> Iterable[Any]:
        return list(self._fate.perform(lambda: list(self._real.paginate(**named))))

    def describe_statement(self, **named: Any) -> Any:
        self._fate.live()
        return self._real.describe_statement(**named)

    def execute_statement(self, **named: Any) -> Any:
        return self._fate.perform(self._real.execute_statement, **named)

    def batch_execute_statement(self, **named: Any) -> Any:
        return self._fate.perform(self._real.batch_execute_statement, **named)

    def close(self) -> None:
        self._real.close()
