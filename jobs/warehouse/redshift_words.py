"""What Redshift reserves, lacks or does differently, and what to write instead. Data only."""

from __future__ import annotations

# Reserved in Redshift, an ordinary name in Postgres: unquoted, such a column works here and fails there.
RESERVED = frozenset(
    """
    aes128 aes256 allowoverwrite backup blanksasnull bytedict bzip2 credentials deflate defrag delta delta32k disable
    emptyasnull enable encode encrypt encryption explicit globaldict256 globaldict64k gzip identity lun luns lzo lzop minus
    mostly16 mostly32 mostly8 new offline oid old open parallel partition percent permissions raw readratio recover rejectlog
    resort respect restore snapshot sysdate system tag tdes text255 text32k timestamp top truncatecolumns wallet
    """.split()
)

# Functions that Redshift does not have, or whose result differs from Postgres's without an error.
UNPORTABLE_FUNCTIONS = {
    "array_agg": "LISTAGG(x, ', ') WITHIN GROUP (ORDER BY …)",
    "generate_series": "a query over a table that has the rows",
    "regexp_replace": "REPLACE or SPLIT_PART (Redshift replaces every match, Postgres the first)",
    "add_months": "DATEADD(month, …) (ADD_MONTHS keeps the last day of a month in Redshift)",
    "approx_distinct": "COUNT(DISTINCT x) (an approximate count is another number in every engine)",
}
