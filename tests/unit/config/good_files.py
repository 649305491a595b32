"""Small pipelines without a fault, one for each kind of feed and the tables derived from it; tests break them line by line."""

from __future__ import annotations

FILES = """\
pipeline: files
owner: us
schedule: "0 0 * * *"
feeds:
  snapshot: {type: csv, path: "{YYYY}-{MM}-{DD}/{table}.csv", timezone: Europe/Berlin}
defaults: {from: snapshot, load: {mode: replace}}
tables:
  people:
    key: [id]
    columns:
      id: bigint
      name: {type: varchar(40), from: Name, pattern: '^\\S+$', on_failure: warn}
      age: {type: int, nullable: true, minimum: 0, maximum: 150}
  visits:
    columns:
      person_id: {type: bigint, references: people}
      at: timestamp
    load: {mode: replace, min_rows: 0}
    publish: {distkey: person_id, sortkey: [at]}
reports: [first]
"""
DATABASE = """\
pipeline: database
owner: us
feeds: {source: {type: postgres}}
tables:
  posts:
    from: source
    read: {table: public.posts, cursor: Id}
    key: [id]
    columns:
      id: {type: bigint, from: Id}
      body: text
      words: {type: int, nullable: true}
    load: {mode: insert}
"""

EVENTS = """\
pipeline: events
owner: us
feeds:
  stream: {type: events, path: "web/{YYYY}/{MM}/{DD}/{HH}/", late_by_days: 1, on_unmatched: ignore}
tables:
  follows:
    from: stream
    read: {match: {type: track, event: Follow User}}
    key: [message_id]
    columns:
      message_id: {type: varchar(100), from: messageId}
      user_id: varchar(64)
      user_id_recipient: {type: varchar(64), from: properties.user_id}
      timestamp: timestamp
    load: {mode: insert}
  unfollows:
    from: stream
    read: {match: {type: track, event: Unfollow User}}
    key: [message_id]
    columns: {message_id: varchar(100), user_id: varchar(64), user_id_recipient: varchar(64), timestamp: timestamp}
    load: {mode: append}
  current_follows:
    from: [follows, unfollows]
    key: [user_id, user_id_recipient]
    transform: social.net_follows
    columns:
      user_id: varchar(64)
      user_id_recipient: text
      followed_at: timestamp
      made_on: {type: date, from: _as_of}
"""
CHANGES = """\
pipeline: changes
owner: us
feeds: {source: {type: postgres}}
defaults: {from: source, key: [id]}
tables:
  users:
    read: {table: public.users, cursor: updated_at, null_cursors: refuse, lookback_minutes: 5}
    columns:
      id: bigint
      born: date
      left_at: {type: timestamp, nullable: true}
      updated_at: timestamp
    load: {mode: upsert, newest_by: [updated_at], deletes: {reconcile: soft, max_delete_percent: 5}}
    publish: {sortkey: [_deleted_at]}
    readers: [athena]
  teams:
    read: {table: public.teams, cursor: updated_at}
    columns: {id: bigint, born: date, name: text, updated_at: timestamp}
    load: {mode: history, newest_by: [updated_at, born], deletes: {reconcile: soft}}
    publish: {sortkey: [valid_from]}
  clicks:
    read: {table: public.clicks, cursor: id, lookback_ids: 0}
    columns: {id: bigint}
    load: {mode: append}
  countries:
    read: {table: public.countries}
    columns: {id: bigint}
    load: {mode: replace}
"""
GOOD = {"files": FILES, "database": DATABASE, "events": EVENTS, "changes": CHANGES}
