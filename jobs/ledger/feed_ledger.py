"""The files of one feed's ledger: `<n>.plan.json`, `<n>.outcome.json`, `<n>.undo.json`, `<n>.published.json`.

Created if absent, never overwritten. Every hundredth outcome is followed by a checkpoint of the state, so that looking stays cheap.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from jobs.batches import Looked, Outcome, Plan, Published
from jobs.errors import LedgerConflictError
from jobs.ledger.feed_state import FeedState
from jobs.runtime.storage import Lake

CHECKPOINT_EVERY = 100


class _Outcomes(Mapping[int, Outcome]):
    """A mapping that reads: a feed can have tens of thousands of batches, and a load needs the last few."""

    def __init__(self, ledger: FeedLedger, committed: Sequence[int]) -> None:
        self._ledger, self._numbers = ledger, dict.fromkeys(committed)

    def __getitem__(self, number: int) -> Outcome:
        outcome = self._ledger.outcome(number) if number in self._numbers else None
        if outcome is None:
            raise KeyError(number)
        return outcome

    def __iter__(self) -> Iterator[int]:
        return iter(self._numbers)

    def __len__(self) -> int:
        return len(self._numbers)

    def __contains__(self, number: object) -> bool:
        return number in self._numbers


class FeedLedger:
    """One feed's ledger. Plans, outcomes and undos are put under the feed's lease only."""

    def __init__(self, lake: Lake, pipeline: str, feed: str) -> None:
        self.pipeline, self.feed = pipeline, feed
        self._lake = lake
        self._folder = f"ledger/{pipeline}/{feed}"

    def state(self) -> FeedState:
        """The fold of the newest checkpoint and everything after it. Raises LedgerConflictError if files are missing in between."""
        state = self._checkpoint()
        files = self._lake.objects(self._folder, after=f"{self._folder}/{state.last:08d}.~")
        names = [stored.key.removeprefix(f"{self._folder}/").partition(".") for stored in files]
        for number in [int(number) for number, _, kind in names if number.isdigit() and kind == "plan.json"]:
            state = self._ended(state.with_plan(self.plan(number)))
        ended = [int(number) for number, _, kind in names if number.isdigit() and kind == "outcome.json"]
        if ended and max(ended) > state.last and not self._lake.head(self._path(max(ended), "plan")):
            state.plan_of(max(ended))
        return state

    def outcome(self, number: int) -> Outcome | None:
        content = self._lake.read(self._path(number, "outcome"))
        return Outcome.model_validate_json(content) if content else None

    def outcomes(self, committed: Sequence[int]) -> Mapping[int, Outcome]:
        """The outcomes of these batches, each read when it is asked for."""
        return _Outcomes(self, committed)

    def plan(self, number: int) -> Plan:
        """The plan of a claimed batch."""
        return Plan.model_validate_json(self._content(self._path(number, "plan")))

    def put_plan(self, plan: Plan) -> None:
        """Claims the number. Raises LedgerConflictError if it is claimed already: the lease was not ours."""
        self._put(plan.number, "plan", plan.to_json())

    def put_outcome(self, number: int, outcome: Outcome, state: FeedState) -> FeedState:
        """Ends the batch; the state after it. `state` is the one that holds the batch's plan as open."""
        state = state.with_outcome(number, outcome)
        self._put(number, "outcome", outcome.to_json())
        if number % CHECKPOINT_EVERY == 0:
            self._lake.create(f"{self._folder}/checkpoint/{number:08d}.json", state.to_json())
        return state

    def put_undo(self, number: int) -> None:
        """Declares that the batch's commits are to be undone; a second declaration changes nothing."""
        self._lake.create(self._path(number, "undo"), b"{}")

    def put_published(self, number: int, memo: Published) -> None:
        """A memo for people; an earlier one stays."""
        self._lake.create(self._path(number, "published"), memo.to_json())

    def published(self, number: int) -> Published | None:
        content = self._lake.read(self._path(number, "published"))
        return Published.model_validate_json(content) if content else None

    def put_looked(self, memo: Looked) -> None:
        self._lake.put_memo(f"{self._folder}/looked.json", memo.to_json())

    def looked(self) -> Looked | None:
        """When a run last found nothing more to do; None if none ever did."""
        content = self._lake.read(f"{self._folder}/looked.json")
        return Looked.model_validate_json(content) if content else None

    def _ended(self, state: FeedState) -> FeedState:
        """The state after the outcome of its open plan, or with that plan open."""
        outcome = self.outcome(state.last)
        if outcome:
            return state.with_outcome(state.last, outcome)
        return state.model_copy(update={"undo_started": self._lake.read(self._path(state.last, "undo")) is not None})

    def _checkpoint(self) -> FeedState:
        stored = self._lake.objects(f"{self._folder}/checkpoint")
        if not stored:
            return FeedState(pipeline=self.pipeline, feed=self.feed)
        return FeedState.model_validate_json(self._content(stored[-1].key))

    def _content(self, key: str) -> bytes:
        content = self._lake.read(key)
        if content is None:
            raise LedgerConflictError(
                f"Reading {key}: expected the file that was just listed, got none. Was it removed by hand?"
            )
        return content

    def _path(self, number: int, kind: str) -> str:
        return f"{self._folder}/{number:08d}.{kind}.json"

    def _put(self, number: int, kind: str, content: bytes) -> None:
        if not self._lake.create(self._path(number, kind), content):
            raise LedgerConflictError(
                f"Putting {self._path(number, kind)}: expected to be the first, got a file that is there already. "
                "Another driver wrote under this feed: look at `tidemark status`, then run the same command again."
            )
