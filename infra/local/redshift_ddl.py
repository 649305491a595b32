"""CREATE TABLE and ALTER TABLE of Redshift as Postgres runs them.

Keys for distribution and sorting are checked and left out. PRIMARY KEY, UNIQUE and FOREIGN KEY are left out, as Redshift does not
enforce them; the columns of a primary key are NOT NULL in both. VARCHAR(n) gets a check of its own, as Redshift counts bytes.
"""

from __future__ import annotations

from hashlib import sha256

from sqlglot import exp

from infra.local.redshift_errors import RedshiftError, syntax_error
from infra.local.redshift_refusals import length_of
from infra.local.redshift_table_attributes import TableAttributes

_INFORMATIONAL = (exp.PrimaryKey, exp.ForeignKey, exp.UniqueColumnConstraint, exp.Constraint)
_FIXED = "_fixed"  # ends the name of the check of a column whose size cannot change
_INFORMATIONAL_IN_COLUMN = (exp.PrimaryKeyColumnConstraint, exp.UniqueColumnConstraint, exp.Reference)


def create_table(tree: exp.Create, attributes: TableAttributes) -> list[str]:
    """Of a tree without attributes. CREATE TABLE … AS is a query, whose columns get no check of their bytes."""
    if tree.expression:
        return [tree.sql(dialect="postgres")]
    parts = tree.this.expressions
    names = {part.name for part in parts if isinstance(part, exp.ColumnDef)}
    attributes.check(None if tree.find(exp.LikeProperty) else names)
    primary = _key_columns(tree, exp.PrimaryKey)
    keys = primary | _key_columns(tree, exp.ForeignKey, exp.UniqueColumnConstraint)
    defined = [text for part in parts if (text := _part(part, keys, primary))]
    temporary = "TEMPORARY " if tree.find(exp.TemporaryProperty) else ""
    absent = "IF NOT EXISTS " if tree.args.get("exists") else ""
    return [f"CREATE {temporary}TABLE {absent}{tree.this.this.sql(dialect='postgres')} ({', '.join(defined)})"]


def _part(part: exp.Expr, keys: set[str], primary: set[str]) -> str:
    """What stands between two commas; empty for what Redshift takes note of and does not enforce."""
    match part:
        case exp.ColumnDef():
            return _column(part, keys, primary)
        case exp.LikeProperty():
            chosen = " ".join(f"{each.this} {each.args['value'].name}" for each in part.expressions)
            return f"LIKE {part.this.sql(dialect='postgres')} {chosen} INCLUDING CONSTRAINTS"
        case _ if isinstance(part, _INFORMATIONAL) and not part.find(exp.CheckColumnConstraint):
            return ""
    raise syntax_error(part.sql(dialect="redshift").split(" ")[0])


def alter_table(tree: exp.Alter, in_batch: bool) -> list[str]:
    table, actions = tree.this.sql(dialect="postgres"), tree.args["actions"]
    if len(actions) > 1:  # "ALTER TABLE": only one column in each statement
        raise syntax_error(",")
    match actions[0]:
        case exp.ColumnDef() as column:
            required = any(isinstance(each.kind, exp.NotNullColumnConstraint) for each in column.constraints)
            if required and not column.find(exp.DefaultColumnConstraint):
                raise RedshiftError(
                    "ALTER TABLE ADD COLUMN defined as NOT NULL must have a non-null default expression"
                )
            return [f"ALTER TABLE {table} ADD COLUMN {_column(column, set(), set())}"]
        case exp.AlterColumn() as change if change.args.get("dtype"):
            if in_batch:
                raise RedshiftError("ALTER TABLE ALTER COLUMN cannot run inside a transaction block")
            return _resize(table, change)
        case exp.AddConstraint() as added if not added.find(exp.CheckColumnConstraint):
            return []
        case exp.Drop() | exp.AlterRename() | exp.RenameColumn():
            return [tree.sql(dialect="postgres")]
    raise RedshiftError("The embedded Redshift does not run this kind of ALTER TABLE. Redshift itself might.")


def append_from(target: str, source: str) -> list[str]:
    """ALTER TABLE … APPEND: the rows move to the columns of the same names, and both tables need the same."""
    columns = "SELECT coalesce(string_agg(quote_ident(attname), ', ' ORDER BY attname), '') FROM pg_attribute"
    return [
        "DO $do$ DECLARE target text; source text; BEGIN "
        f"{columns} WHERE attrelid = '{target}'::regclass AND attnum > 0 AND NOT attisdropped INTO target; "
        f"{columns} WHERE attrelid = '{source}'::regclass AND attnum > 0 AND NOT attisdropped INTO source; "
        "IF target <> source THEN RAISE EXCEPTION 'columns of the source and the target table do not match'; END IF; "
        f"EXECUTE format('INSERT INTO {target} (%s) SELECT %s FROM {source}', target, target); "
        f"DELETE FROM {source}; END $do$"
    ]


def _resize(table: str, change: exp.AlterColumn) -> list[str]:
    """Only the size of a VARCHAR can change, and not of one with a key or a default (developer guide, "ALTER TABLE")."""
    type_ = change.args["dtype"]
    size = length_of(type_)
    if not type_.is_type("varchar") or size is None:
        raise RedshiftError(f'cannot alter column "{change.name}" to a type other than varchar(n)')
    # The old check has its size in its name, which is not known here.
    drop = (
        "DO $do$ DECLARE old text; BEGIN SELECT conname INTO STRICT old FROM pg_constraint "
        f"WHERE conrelid = '{table}'::regclass AND conname LIKE 'bytes\\_%\\_{_digest(change.name)}%'; "
        f"IF old LIKE '%{_FIXED}' THEN RAISE EXCEPTION 'cannot alter a column with a key or a default value'; END IF; "
        f"EXECUTE format('ALTER TABLE {table} DROP CONSTRAINT %I', old); END $do$"
    )
    check = _check(change.name, size, is_fixed=False)
    return [drop, f'ALTER TABLE {table} ALTER COLUMN "{change.name}" TYPE varchar({size}), ADD {check}']


def _column(column: exp.ColumnDef, keys: set[str], primary: set[str]) -> str:
    """One column as Postgres knows it, with Redshift's default sizes. `keys`: the columns of all keys of the table."""
    type_, name = column.kind, column.name
    if type_ is None:
        raise syntax_error(name)
    constraints = [each for each in column.constraints if not isinstance(each.kind, _INFORMATIONAL_IN_COLUMN)]
    for each in constraints:
        if not isinstance(each.kind, exp.NotNullColumnConstraint | exp.DefaultColumnConstraint):
            raise syntax_error(each.sql(dialect="redshift").split(" ")[0])
    is_required = name in primary or bool(column.find(exp.PrimaryKeyColumnConstraint))
    has_key = name in keys or len(constraints) < len(column.constraints)
    words = [f'"{name}"']
    if type_.is_type("varchar", "nvarchar", "text"):
        size = length_of(type_) or 256
        words += [f"varchar({size})", _check(name, size, has_key or bool(column.find(exp.DefaultColumnConstraint)))]
    elif type_.is_type("bpchar"):
        words.append("char(256)")
    elif type_.is_type("decimal") and not type_.expressions:
        words.append("decimal(18, 0)")
    else:
        words.append(type_.sql(dialect="postgres"))
    written = [each.sql(dialect="postgres") for each in constraints]
    words += ["NOT NULL"] if is_required and "NOT NULL" not in written else []
    return " ".join(words + written)


def _key_columns(tree: exp.Expr, *kinds: type[exp.Expr]) -> set[str]:
    """The names in PRIMARY KEY (…), UNIQUE (…) and FOREIGN KEY (…)."""
    keys = [key.this if isinstance(key, exp.UniqueColumnConstraint) else key for key in tree.find_all(*kinds)]
    return {column.name for key in keys if key for column in key.expressions}


def _check(column: str, size: int, is_fixed: bool) -> str:
    """Named by size and column, so that an error tells the size, and a change of size finds the check and whether it may."""
    name = f"bytes_{size}_{_digest(column)}{_FIXED if is_fixed else ''}"
    return f'CONSTRAINT {name} CHECK (octet_length("{column}") <= {size})'


def _digest(column: str) -> str:
    return sha256(column.encode()).hexdigest()[:12]
