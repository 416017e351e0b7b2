"""Values on their way: a row is a line of text as PostgreSQL's COPY writes it, on both sides.

PostgreSQL writes and reads such lines itself. SQLite keeps moments, UUIDs and others as text of
its own, so here is how each kind of column is written as PostgreSQL would (`wire`), and read back
(`unwire`). Two lines are the same row if they are equal, or equal once the kinds that can be
written in several ways are written in one (`canon`).
"""

import json
import re
import struct
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

NULL = r"\N"
ESCAPES = {"\\": r"\\", "\b": r"\b", "\f": r"\f", "\n": r"\n", "\r": r"\r", "\t": r"\t"}
ESCAPES["\v"] = r"\v"
MEANINGS = {escaped: plain for plain, escaped in ESCAPES.items()}
SPECIAL = re.compile(r"[\\\x08\f\n\r\t\v]")
ESCAPED = re.compile(r"\\.")
WHOLE_MOMENT = 26  # Characters of 2026-01-31 12:00:00.000001
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# What PostgreSQL calls its types, and what they are here.
KINDS = {
    "uuid": "uuid",
    "smallint": "int",
    "integer": "int",
    "bigint": "int",
    "text": "text",
    "character varying": "text",
    "character": "padded",
    "bytea": "bytes",
    "boolean": "bool",
    "timestamp with time zone": "moment",
    "timestamp without time zone": "clock",
    "date": "date",
    "time without time zone": "time",
    "double precision": "float",
    "real": "single",
    "numeric": "numeric",
    "json": "json",
    "jsonb": "jsonb",
    "interval": "interval",
}

Wire = Callable[[Any], str]
Unwire = Callable[[str], Any]


def escape(text: str) -> str:
    return SPECIAL.sub(lambda found: ESCAPES[found[0]], text) if SPECIAL.search(text) else text


def unescape(field: str) -> str:
    return ESCAPED.sub(lambda found: MEANINGS[found[0]], field) if "\\" in field else field


def fields_of(line: bytes) -> list[str | None]:
    """The values of a line, as text without escapes."""
    fields = line.decode()[:-1].split("\t")
    return [None if field == NULL else unescape(field) for field in fields]


def line_of(fields: list[str | None]) -> bytes:
    """A line out of text without escapes."""
    return ("\t".join([NULL if one is None else escape(one) for one in fields]) + "\n").encode()


# --- From SQLite's values to PostgreSQL's text ---------------------------------------------------


def wire_text(value: Any) -> str:
    return escape(value if isinstance(value, str) else str(value))


def wire_uuid(value: Any) -> str:
    if isinstance(value, bytes):
        return str(UUID(bytes=value))
    if len(value) != 32:
        return str(UUID(value))
    return f"{value[:8]}-{value[8:12]}-{value[12:16]}-{value[16:20]}-{value[20:]}".lower()


def wire_int(value: Any) -> str:
    number = int(value)
    if number != value:
        raise ValueError("isn't a whole number")
    return str(number)


def wire_bool(value: Any) -> str:
    return {0: "f", 1: "t"}[value]


def wire_bytes(value: Any) -> str:
    return r"\\x" + (value.encode() if isinstance(value, str) else value).hex()


def wire_moment(value: str) -> str:
    if len(value) != WHOLE_MOMENT or value[10] != " ":
        value = moment_in(value)
    return (value.rstrip("0").removesuffix(".") if "." in value else value) + "+00"


def wire_clock(value: str) -> str:
    if len(value) != WHOLE_MOMENT or value[10] != " ":
        value = datetime.fromisoformat(value).isoformat(" ", "microseconds")
    return value.rstrip("0").removesuffix(".") if "." in value else value


def moment_in(text: str) -> str:
    """A moment that was written in another of ISO's ways; without a zone it's UTC."""
    moment = datetime.fromisoformat(text)
    moment = moment.astimezone(UTC) if moment.tzinfo else moment
    return moment.replace(tzinfo=None).isoformat(" ", "microseconds")


def wire_date(value: str) -> str:
    return value


def wire_time(value: str) -> str:
    return value.rstrip("0").removesuffix(".") if "." in value else value


def wire_float(value: Any) -> str:
    return repr(float(value))


def wire_interval(value: str) -> str:
    """SQLAlchemy keeps a duration on SQLite as the moment that long after 1970 began."""
    passed = datetime.fromisoformat(value).replace(tzinfo=UTC) - EPOCH
    return f"{passed // timedelta(microseconds=1)} microseconds"


def wire_raw(value: Any) -> str:
    """Between two SQLite files: the value, with its own type."""
    if isinstance(value, bytes):
        return f"b{value.hex()}"
    if isinstance(value, str):
        return f"t{escape(value)}"
    return f"i{value}" if isinstance(value, int) else f"f{value!r}"


def wire_numeric(scale: int | None) -> Wire:
    """The decimal that SQLAlchemy makes of SQLite's number: rounded to the column's places."""

    def wire(value: Any) -> str:
        if isinstance(value, float):
            return repr(value) if scale is None else f"{value:.{scale}f}"
        return str(value)

    return wire


WIRES: dict[str, Wire] = {
    "uuid": wire_uuid,
    "int": wire_int,
    "bytes": wire_bytes,
    "bool": wire_bool,
    "moment": wire_moment,
    "clock": wire_clock,
    "date": wire_date,
    "time": wire_time,
    "float": wire_float,
    "single": wire_float,
    "interval": wire_interval,
    "raw": wire_raw,
}


def wire_for(kind: str, scale: int | None) -> Wire:
    """How a column of SQLite is written; every kind that isn't named is text."""
    return wire_numeric(scale) if kind == "numeric" else WIRES.get(kind, wire_text)


# --- From PostgreSQL's text to SQLite's values ---------------------------------------------------


def unpadded(text: str) -> str:
    """PostgreSQL fills a `character(5)` with spaces, and takes it for equal without them."""
    return text.rstrip(" ")


def unwire_uuid(text: str) -> str:
    return text.replace("-", "")


def unwire_moment(text: str) -> str:
    return moment_in(text)


def unwire_clock(text: str) -> str:
    return datetime.fromisoformat(text).isoformat(" ", "microseconds")


def unwire_time(text: str) -> str:
    return text if "." not in text else text.ljust(15, "0")


def unwire_numeric(text: str) -> int | float:
    return int(text) if text.lstrip("-").isdigit() else float(text)


def unwire_interval(text: str) -> str:
    passed = timedelta(microseconds=int(text.removesuffix(" microseconds")))
    return (EPOCH + passed).replace(tzinfo=None).isoformat(" ", "microseconds")


def unwire_raw(text: str) -> Any:
    read: dict[str, Unwire] = {"b": bytes.fromhex, "t": str, "i": int, "f": float}
    return read[text[0]](text[1:])


UNWIRES: dict[str, Unwire] = {
    "uuid": unwire_uuid,
    "int": int,
    "bytes": lambda text: bytes.fromhex(text.removeprefix(r"\x")),
    "bool": lambda text: int(text == "t"),
    "moment": unwire_moment,
    "clock": unwire_clock,
    "time": unwire_time,
    "float": float,
    "single": float,
    "numeric": unwire_numeric,
    "interval": unwire_interval,
    "raw": unwire_raw,
    "padded": unpadded,
}


def unwire_for(kind: str) -> Unwire:
    return UNWIRES.get(kind, str)


# --- Kinds that can be written in several ways ---------------------------------------------------


def canon_numeric(text: str | Decimal) -> str:
    number = Decimal(text)
    if not number:
        return "0"  # PostgreSQL's has no -0, to which SQLite's may have been rounded.
    return format(number.normalize(), "f") if number.is_finite() else str(number)


def canon_float(text: str) -> str:
    """SQLite doesn't tell -0.0 from 0.0."""
    return repr(float(text) + 0.0)


def canon_single(text: str) -> str:
    return canon_float(str(struct.unpack("f", struct.pack("f", float(text)))[0]))


def canon_json(text: str) -> str:
    """A document with its numbers as `jsonb` has them: 1e16 is 10000000000000000."""
    found = json.loads(text, parse_float=Decimal, parse_int=Decimal)
    return json.dumps(
        found, sort_keys=True, default=lambda one: ["number", canon_numeric(str(one))]
    )


CANONS: dict[str, Callable[[str], str]] = {
    "numeric": canon_numeric,
    "float": canon_float,
    "single": canon_single,
    "jsonb": canon_json,
    "padded": unpadded,
}


# --- The order of keys ---------------------------------------------------------------------------


def order_raw(text: str) -> tuple[int, Any]:
    """SQLite sorts numbers before text before bytes."""
    return {"i": 0, "f": 0, "t": 1, "b": 2}[text[0]], unwire_raw(text)


ORDERS: dict[str, Callable[[str], Any]] = {
    "int": int,
    "float": float,
    "single": float,
    "numeric": Decimal,
    "raw": order_raw,
}


def order_for(kind: str) -> Callable[[str], Any]:
    """How a key's text sorts as both databases sort the key; text by its bytes."""
    return ORDERS.get(kind, str.encode)
