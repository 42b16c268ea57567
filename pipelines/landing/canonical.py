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
    texts = _texts(values)
    canonical = (texts.str.contains(_PATTERN) & (texts.str.len_bytes() <= MAX_EVENT_BYTES)).fill_null(False)
    # Before the key nothing can hold these bytes: inside a string the quotes would be escaped.
    halves = texts.filter(canonical).str.splitn(_PROPERTIES, 2).struct.unnest()
    frame = _read(halves["field_0"].str.strip_suffix("}")).with_columns(
        halves["field_1"].str.strip_suffix("}").alias("properties"),
        *(pl.col(name).fill_null(default) for name, default in _DEFAULTS.items()),
    )
    short = pl.select(pl.all_horizontal(frame[name].str.len_bytes() <= most for name, most in _LONGEST.items()))
    fits = short.to_series().fill_null(True)
    if not fits.all():
        # Only characters count, but bytes are quicker to count and never fewer.
        canonical = canonical.scatter(canonical.arg_true().filter(~fits), False)
        frame = frame.filter(fits)
    return Decoded(frame, (~canonical).arg_true().to_list())


def _texts(values: Sequence[bytes]) -> pl.Series:
    """The records as text; null where one is not UTF-8, or looks as if it had been mended."""
    try:
        return pl.Series(values, dtype=pl.Binary).cast(pl.String)
    except pl.exceptions.ComputeError:
        texts = (value.decode(errors="replace") for value in values)
        return pl.Series([None if "\ufffd" in text else text for text in texts], dtype=pl.String)


def _read(heads: pl.Series) -> pl.DataFrame:
    if heads.is_empty():
        return pl.DataFrame(schema=_SCHEMA).rename(_NAMES)
    lines: bytes = heads.str.join("}\n").cast(pl.Binary).item()
    return pl.read_ndjson(lines + b"}", schema=_SCHEMA).rename(_NAMES)


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


def _pattern() -> str:
    written = [(field, f'"{field.encode_name}":{_value(kind)[0]}') for field, kind in _fields()]
    (_, first), *others = written
    rest = "".join(f",{text}" if field.required else f"(?:,{text})?" for field, text in others)
    return rf"^\{{{first}{rest}\}}$"


_PATTERN = _pattern()
_NAMES = {field.encode_name: field.name for field, kind in _fields() if not isinstance(kind, types.RawType)}
_SCHEMA = {field.encode_name: _value(kind)[1] for field, kind in _fields() if field.encode_name in _NAMES}
_DEFAULTS = {
    field.name: field.default
    for field, kind in _fields()
    if not field.required and field.default is not None and not isinstance(kind, types.RawType)
}
_LONGEST = {
    field.name: kind.max_length
    for field, kind in _fields()
    if isinstance(kind, types.StrType) and kind.max_length is not None
}
