"""The shop's users and transactions as rows for COPY, without ids: the database gives them. No database here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, time, timedelta
from decimal import Decimal
from random import Random

from jobs.samples.report import date_of

Row = tuple[object, ...]
BAD_USERS = 3
BAD_TRANSACTIONS = 4
"""Bad records come first on day 1: theirs are the ids from 1."""

LAST_OF_DAY_1 = datetime.combine(date_of(1), time(23, 50))

_HISTORY_DAYS = 60  # up to the end of day 1
_SAME_MOMENT = 3  # so many rows in a row come from one transaction: now() is the same for all of it
_FIRST_NAMES = "Ada GRACE linus O'Neil ÉMILE Zoë Łukasz Ægir İpek Anna-MARIA 李 MacKenzie null NaN".split()
_LAST_NAMES = "Lovelace HOPPER Müller d'Arc SMITH-Jones Ångström Straße ÇELİK Ørsted van_der_Berg 007".split()
_DOMAINS = ("example.com", "Example.COM", "MAIL.example.org", "bücher.example", "a.b-c.example")
_ADDRESSES = (
    "{n} Main Street\nSpringfield, IL 62704",
    "Hauptstraße {n}\r\n10115 BERLIN\r\nDeutschland",
    "",
    '"The Old Mill", Flat {n}',
    "  {n}, rue de l'Église  ",
    "{n} Tab\tLane\\N \\ Backslash Row",
    "東京都千代田区{n}丁目 🏠",
    "\nP.O. Box {n}\n",
)
_TYPES = ("purchase", "purchase", "purchase", "payment", "refund", "transfer")
_CENTS = (1, 10, 100, 0, 99_99, 100_005, 9_999_999_999)  # the last is the most that numeric(10,2) holds
_RARE_EVERY = 40


def stamped(rows: Iterable[Row], moment: datetime) -> Iterator[Row]:
    """The rows with an `updated_at` that is the same for all, as one transaction writes them."""
    for *others, _ in rows:
        yield *others, moment


def first_users(count: int, has_bad_records: bool) -> Iterator[Row]:
    """Users of the days up to day 1, the bad ones first."""
    users = _users(Random("shop/users/1"), count, _moments(1, _HISTORY_DAYS, count), 1)
    for place, user in enumerate(users):
        yield _spoilt_user(user, place) if has_bad_records and place < BAD_USERS else user


def day_users(day: int, count: int) -> Iterator[Row]:
    return _users(Random(f"shop/users/{day}"), count, _moments(day, 1, count), day)


def late_user(day: int) -> Row:
    return next(_users(Random(f"shop/late user/{day}"), 1, iter([_late_evening(day)]), f"late.{day}"))


def first_transactions(count: int, buyers: Sequence[int], has_bad_records: bool) -> Iterator[Row]:
    """Transactions of the days up to day 1, the bad ones first."""
    transactions = _transactions(Random("shop/transactions/1"), buyers, _moments(1, _HISTORY_DAYS, count))
    for place, transaction in enumerate(transactions):
        is_bad = has_bad_records and place < BAD_TRANSACTIONS
        yield _spoilt_transaction(transaction, place) if is_bad else transaction


def day_transactions(day: int, count: int, buyers: Sequence[int]) -> Iterator[Row]:
    return _transactions(Random(f"shop/transactions/{day}"), buyers, _moments(day, 1, count))


def late_transaction(day: int, buyer: int) -> Row:
    return next(_transactions(Random(f"shop/late transaction/{day}"), [buyer], iter([_late_evening(day)])))


def _late_evening(day: int) -> datetime:
    return datetime.combine(date_of(day), time(23, 40))


def _moments(day: int, days: int, count: int) -> Iterator[datetime]:
    """`count` ascending instants up to 23:30 of `day`, several rows at the same one."""
    end = datetime.combine(date_of(day), time(23, 30))
    start = datetime.combine(date_of(day), time()) - timedelta(days=days - 1)
    step = (end - start) / max(count, 1)
    for place in range(count):
        yield start + (place - place % _SAME_MOMENT + 0.5) * step


def _users(random: Random, count: int, moments: Iterator[datetime], tag: object) -> Iterator[Row]:
    for place, moment in zip(range(count), moments, strict=True):
        first, last = random.choice(_FIRST_NAMES), random.choice(_LAST_NAMES)
        email = f"{first}.{place}.{tag}@{_DOMAINS[place % len(_DOMAINS)]}"
        address = _ADDRESSES[place % len(_ADDRESSES)].format(n=random.randrange(1, 400))
        yield f"{first} {last}", email, address, moment, moment


def _spoilt_user(user: Row, kind: int) -> Row:
    """An email without @, no name, an address that is too long in bytes though not in characters."""
    name, email, address, created, updated = user
    if kind == 0:
        return name, "Ada at Example.COM", address, created, updated
    if kind == 1:
        return None, email, address, created, updated
    return name, email, "ß" * 600, created, updated


def _transactions(random: Random, buyers: Sequence[int], moments: Iterator[datetime]) -> Iterator[Row]:
    for place, moment in enumerate(moments):
        cents = int(random.expovariate(1 / 4_000)) + 1
        if place % _RARE_EVERY == _RARE_EVERY // 2:
            cents = _CENTS[place // _RARE_EVERY % len(_CENTS)]
        amount = Decimal(cents).scaleb(-2)
        yield random.choice(buyers), amount, random.choice(_TYPES), moment, moment


def _spoilt_transaction(transaction: Row, kind: int) -> Row:
    """An unknown type, no amount, an amount that is no number, a day that no calendar has."""
    user, amount, transaction_type, created, updated = transaction
    if kind == 0:
        return user, amount, "chargeback", created, updated
    if kind == 1:
        return user, None, transaction_type, created, updated
    if kind == 2:
        return user, Decimal("NaN"), transaction_type, created, updated
    return user, amount, transaction_type, "infinity", updated
