"""What `make tf-plan | tf-apply | tf-destroy | tf-unlock | env` call: Terraform on one environment, its state in the account's own bucket."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from infra.provision.account import Account, account_of, environment_folder, has_state_bucket, make_state_bucket
from infra.provision.environment_file import write_environment_file
from infra.provision.terraform import RootModule
from jobs.config import find_root
from jobs.errors import ProvisioningError, TidemarkError, UsageError
from jobs.runtime.progress import Progress

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
Environment = Annotated[str, typer.Argument(metavar="ENV", help="A folder of infra/terraform/environments/.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask before anything is changed.")]

_progress = Progress()


@app.command()
def bootstrap(environment: Environment) -> None:
    """Make the bucket that holds the account's Terraform states; once per account and region, and harmless again."""
    make_state_bucket(_root(), _account(environment))


@app.command()
def plan(environment: Environment) -> None:
    """What an apply would change; changes nothing."""
    _prepared(environment).run("Planning", "plan", "-input=false")


@app.command()
def apply(environment: Environment, yes: Yes = False) -> None:
    """Make or change the environment and write its environment file; the first time also the bucket of the states."""
    approval = _approval(yes)
    account = _account(environment)
    if not has_state_bucket(account):
        _progress.say(f"{environment}: making {account.state_bucket} first")
        make_state_bucket(_root(), account)
    module = _prepared(environment)
    module.run("Applying", "apply", *approval)
    _write(module)


@app.command()
def destroy(environment: Environment, yes: Yes = False) -> None:
    """Remove everything that apply made, but for the bucket of the states."""
    _prepared(environment).run("Destroying", "destroy", *_approval(yes))


@app.command()
def env(environment: Environment) -> None:
    """Write conf/environments/ENV.yaml from what Terraform made."""
    _write(_prepared(environment))


@app.command()
def unlock(
    environment: Environment, lock: Annotated[str, typer.Argument(metavar="ID", help="As the refusal named it.")]
) -> None:
    """Free the state of a run that is gone for certain: two at once would lose what one of them made."""
    _prepared(environment).run("Unlocking", "force-unlock", "-force", lock)


@app.command("import")
def take_over(
    environment: Environment,
    address: Annotated[
        str, typer.Argument(metavar="ADDRESS", help="Of the resource in Terraform, as the refusal named it.")
    ],
    made: Annotated[str, typer.Argument(metavar="ID", help="Of what exists.")],
) -> None:
    """Put what exists into the state: an apply that was stopped can have made more than it could note."""
    _prepared(environment).run("Importing into", "import", "-input=false", address, made)


def _root() -> Path:
    """The project around the current folder."""
    return find_root(Path.cwd())


def _account(environment: str) -> Account:
    return account_of(environment_folder(_root(), environment))


def _prepared(environment: str) -> RootModule:
    """The environment's root module, initialised on its state. Raises ProvisioningError where there is no bucket for it."""
    account = _account(environment)
    _progress.say(f"{environment}: account {account.number}, {account.region}, state in {account.state_bucket}")
    if not has_state_bucket(account):
        raise ProvisioningError(
            f"Looking for the state of {environment}: expected it in the bucket {account.state_bucket}, got no such bucket. "
            f"`make tf-bootstrap ENV={environment}` makes it, and so does the first `make tf-apply ENV={environment}`."
        )
    folder = environment_folder(_root(), environment)
    module = RootModule(
        environment, folder, _root() / ".tidemark/terraform" / environment, {"AWS_REGION": account.region}
    )
    backend = {"bucket": account.state_bucket, "region": account.region}
    settings = [f"-backend-config={name}={value}" for name, value in backend.items()]
    module.run("Preparing", "init", "-input=false", "-reconfigure", *settings)
    return module


def _approval(yes: bool) -> list[str]:
    """Terraform shows its plan and asks; where nobody can answer, --yes has to say so. Raises UsageError."""
    if not yes and not sys.stdin.isatty():
        raise UsageError(
            "Changing an environment: expected a terminal to ask on, got none. Add YES=1 to approve unseen."
        )
    return ["-input=false", "-auto-approve"] if yes else []


def _write(module: RootModule) -> None:
    path = write_environment_file(_root(), module.name, module.output("environment"))
    _progress.say(f"{module.name}: written to {path.relative_to(_root())}")


def main() -> None:
    try:
        app(standalone_mode=True)
    except TidemarkError as error:
        print(f"{error}", file=sys.stderr)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
