"""Events in canonical form, the bytes that `encode_event` writes, decoded many at a time. No I/O.

The form is a regular language, so one pass of a regular expression proves a record to be in it: the fields in their
order, no space between them, no field that is unknown or there twice, numbers within their bounds, properties that are
valid JSON. For such a record no two JSON decoders differ. Whatever is not in it, valid or not, is left to
`decode_event`, which stays the only judge of an event; a test holds both to the same rows.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec.inspect as types
import polars as pl

from event_stream.event import MAX_EVENT_BYTES, Event

_PLAIN = r'[^"\\\x00-\x1f]'
_ESCAPED = r'["\\/bfnrt]'
_CODE_POINT = (
    r"u(?:[0-9abcefABCEF][0-9a-fA-F]|[dD][0-7])[0-9a-fA-F]{2}"
    r"|u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
)
_STRING = rf'"(?:{_PLAIN}|\\(?:{_ESCAPED}|{_CODE_POINT}))*"'
_NUMBER = r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?"
_SPACE = r"[ \t\r\n]*"
_NESTING = 2
"""How deep arrays and objects lie in each other inside properties. An event's are rarely deeper; those are left."""

_PROPERTIES = ',"properties":'


@dataclass(frozen=True)
class Decoded:
    """`frame` has the event's columns, named as in Event, one row for each canonical record, in their order.

    `left` are the indexes of the others.
    """

    frame: pl.DataFrame
    left: Sequence[int]


def decode_canonical(values: Sequence[bytes]) -> Decoded:
    """Decodes what is in canonical form; the rest may be events too."""
    text = pl.col("text")
    # Before the key nothing can hold its bytes: inside a string the quotes would be escaped.
    halves = text.str.splitn(_PROPERTIES, 2).struct
    canonical = (
        pl.LazyFrame({"text": _texts(values)})
        .with_row_index("index")
        .filter(text.str.contains(_PATTERN), text.str.len_bytes() <= MAX_EVENT_BYTES)
        .select("index", *(halves.field(half).str.strip_suffix("}") for half in ("field_0", "field_1")))
        .collect()
    )
    if canonical.is_empty():
        return Decoded(_EMPTY, range(len(values)))
    lines: bytes = canonical["field_0"].str.join("}\n").cast(pl.Binary).item()
    frame = pl.read_ndjson(lines + b"}", schema=_SCHEMA).select(
        *_COLUMNS, properties=canonical["field_1"], index=canonical["index"], fits=_FITS
    )
    if not frame["fits"].all():
        frame = frame.filter("fits")
    taken = frame["index"]
    left = set(range(len(values))).difference(taken) if len(taken) < len(values) else ()
    return Decoded(frame.drop("index", "fits"), sorted(left))


def _texts(values: Sequence[bytes]) -> pl.Series:
    """The records as text; null where one is not UTF-8, or looks as if it had been mended."""
    try:
        return pl.Series(values, dtype=pl.Binary).cast(pl.String)
    except pl.exceptions.ComputeError:
        texts = (value.decode(errors="replace") for value in values)
        return pl.Series([None if "\ufffd" in text else text for text in texts], dtype=pl.String)


def _value(kind: types.Type) -> tuple[str, pl.DataType]:
    """What a field's value looks like, and its column. Raises TypeError for a type that no field has yet."""
    match kind:
        case types.StrType(min_length=least):
            return rf'"(?:{_PLAIN}|\\{_ESCAPED}){{{least or 0},}}"', pl.String()
        case types.IntType(ge=int(least), le=int(most)) if least == most:
            return str(most), pl.Int32()
        case types.IntType(ge=0, le=int(most)):
            # As many digits as are below the bound whatever they are.
            return rf"(?:0|[1-9][0-9]{{0,{len(str(most)) - 2}}})", pl.Int64() if most > 2**31 else pl.Int32()
        case types.BoolType():
            return "(?:true|false)", pl.Boolean()
        case types.RawType():
            return _object(_json(_NESTING)), pl.String()
    raise TypeError(f"The canonical form does not know how {kind} is written.")


def _json(nesting: int) -> str:
    scalar = f"{_STRING}|{_NUMBER}|true|false|null"
    if nesting == 0:
        return f"(?:{scalar})"
    inner = _json(nesting - 1)
    return rf"(?:{scalar}|{_object(inner)}|\[{_SPACE}(?:{_listed(inner)})?\])"


def _object(value: str) -> str:
    return rf"\{{{_SPACE}(?:{_listed(f'{_STRING}{_SPACE}:{_SPACE}{value}')})?\}}"


def _listed(item: str) -> str:
    return f"{item}{_SPACE}(?:,{_SPACE}{item}{_SPACE})*"


def _fields() -> Iterator[tuple[types.Field, types.Type]]:
    event = types.type_info(Event)
    assert isinstance(event, types.StructType)  # noqa: S101 - for the type checker
    for field in event.fields:
        kind = field.type
        if isinstance(kind, types.UnionType):
            (kind,) = (member for member in kind.types if not isinstance(member, types.NoneType))
        yield field, _bare(kind)


def _bare(kind: Any) -> types.Type:
    return kind.type if isinstance(kind, types.Metadata) else kind


def _column(field: types.Field) -> pl.Expr:
    column = pl.col(field.encode_name).alias(field.name)
    return column if field.required or field.default is None else column.fill_null(field.default)


def _pattern() -> str:
    written = [(field, f'"{field.encode_name}":{_value(kind)[0]}') for field, kind in _fields()]
    (_, first), *others = written
    rest = "".join(f",{text}" if field.required else f"(?:,{text})?" for field, text in others)
    return rf"^\{{{first}{rest}\}}$"


_PATTERN = _pattern()
# What stands before the properties, which are cut off unread.
_HEAD = [(field, kind) for field, kind in _fields() if not isinstance(kind, types.RawType)]
_SCHEMA = {field.encode_name: _value(kind)[1] for field, kind in _HEAD}
_COLUMNS = [_column(field) for field, _ in _HEAD]
_FITS = pl.all_horizontal(
    # Characters count, but bytes are quicker to count and never fewer.
    (pl.col(field.encode_name).str.len_bytes() <= kind.max_length).fill_null(True)
    for field, kind in _HEAD
    if isinstance(kind, types.StrType) and kind.max_length is not None
)
_EMPTY = pl.DataFrame(schema=_SCHEMA).select(*_COLUMNS, properties=pl.lit(None, pl.String))
