"""Everything that can go wrong, one class per remedy. Messages read `<doing> <object>: expected X, got Y. <What to do.>`

`exit_code` follows the command line's promise: 2 is bad input or configuration, 1 is anything else. `retry_helps` says whether
the same command may succeed later without anybody changing input, configuration or code.
"""

from __future__ import annotations


class TidemarkError(Exception):
    """Root of all errors that Tidemark raises on purpose."""

    exit_code = 1
    retry_helps = False


# --- exit 2: the input or the configuration has to change -------------------------------------------------------------


class InputError(TidemarkError):
    """What was given is wrong."""

    exit_code = 2


class ConfigError(InputError):
    """conf/ or a TIDEMARK_ variable does not describe something that can run; holds every problem at once.

    `problems` are `jobs.config.problems.Problem`: frozen dataclasses, for `--json`.
    """

    def __init__(self, message: str, problems: tuple[object, ...] = ()) -> None:
        super().__init__(message)
        self.problems = problems


class UsageError(InputError):
    """A name or an option on the command line does not fit."""


class BatchRefusedError(InputError):
    """A batch failed a check and became void: its number is burnt, its objects are pending again."""


class InputMissingError(InputError):
    """A dated folder is overdue and still lacks declared files."""


class SourceRightsError(InputError):
    """The source role lacks a right without which reading would be a guess."""


class SourceSchemaError(InputError):
    """The source lacks a table or column that the contract names, or holds it in a type that cannot be read exactly."""


class CredentialsError(InputError):
    """A password or role was refused."""


# --- exit 1: something around us failed; the same command finishes the work later -------------------------------------


class SourceUnavailableError(TidemarkError):
    """A source database cannot be reached."""

    retry_helps = True


class WarehouseUnavailableError(TidemarkError):
    """The warehouse cannot be reached; curation does not need it."""

    retry_helps = True


class StorageError(TidemarkError):
    """The lake cannot be read or written (a full disk, a missing right)."""

    retry_helps = True


class LeaseHeldError(TidemarkError):
    """Another run holds the feed, or its death is not proven."""

    retry_helps = True


class EmbeddedPostgresError(TidemarkError):
    """The embedded Postgres does not start or stop."""


class SparkJobError(TidemarkError):
    """A Spark statement failed; the batch is open and the next run goes on with it."""

    retry_helps = True


class RuntimeMismatchError(TidemarkError):
    """Java, Spark, Delta or Python is not the pinned one."""


class DownloadError(TidemarkError):
    """A pinned artifact could not be fetched, or is not the one that was pinned."""

    retry_helps = True


class ProvisioningError(TidemarkError):
    """Terraform failed; what it made is in its state, and the same command goes on from there."""

    retry_helps = True


class AwsUnavailableError(TidemarkError):
    """AWS gave no answer, failed itself, or throttled longer than we wait."""

    retry_helps = True


class AwsRefusedError(TidemarkError):
    """AWS understood a request and refused it."""


class PackagingError(TidemarkError):
    """The archives that steps run could not be built."""


class ClusterError(TidemarkError):
    """The cluster of a step is gone, or takes no more steps."""


class StepFailedError(TidemarkError):
    """A step did not complete, or completed without having done its work."""


# --- exit 1: the protocol's own alarms; nothing goes on until somebody has looked -------------------------------------


class LedgerConflictError(TidemarkError):
    """A ledger file, Delta version or warehouse row contradicts the protocol."""


class BalanceError(TidemarkError):
    """Counts from independent places do not add up: a row would be lost or doubled."""


class LoadRefusedError(TidemarkError):
    """The warehouse's own guard refused a batch (order or counts)."""
