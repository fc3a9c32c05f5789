"""Compatibility: whether a JSON Schema may take another's place without a new version. Pure.

It may where every document that was valid still is, and no field is gone: fields may be added that need not be there,
and types, choices and limits may widen. A keyword that is not known here may go, but neither come nor change.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Schema = Mapping[str, Any]

DECIDES_NOTHING = frozenset({"$schema", "$id", "$defs", "title", "description", "default", "examples", "discriminator"})
FLOORS = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
CEILINGS = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
COMPARED = DECIDES_NOTHING | {
    *FLOORS, *CEILINGS, "type", "enum", "const", "properties", "required", "items", "additionalProperties", "anyOf",
    "oneOf",
}  # fmt: skip


def incompatibilities(old: Schema, new: Schema) -> list[str]:
    """What `new` refuses or loses of what `old` allows, one sentence each; none where it may take its place.

    References must not lead back to themselves.
    """
    return list(_compared(_inlined(old, old), _inlined(new, new), "the document"))


def _inlined(value: Any, root: Schema) -> Any:
    """With definitions in the place of references to them."""
    if isinstance(value, Mapping):
        if "$ref" in value:
            return _inlined(root["$defs"][value["$ref"].rpartition("/")[2]], root)
        return {key: _inlined(each, root) for key, each in value.items() if key != "$defs"}
    return [_inlined(each, root) for each in value] if isinstance(value, list) else value


def _compared(old: Schema, new: Schema, place: str) -> Iterator[str]:
    """What is wrong with the way that comes closest, for each alternative that has none."""
    for each in _alternatives(old):
        found = [list(_losses(each, way, place)) for way in _alternatives(new)]
        yield from min(found, key=len)


def _alternatives(schema: Schema) -> Sequence[Schema]:
    return schema.get("anyOf") or schema.get("oneOf") or [schema]


def _losses(old: Schema, new: Schema, place: str) -> Iterator[str]:
    types = _types(old), _types(new)
    if types[1] and (not types[0] or types[0] - types[1]):
        yield f"{place} may no longer be {' or '.join(sorted(types[0] - types[1])) or 'anything'}"
        return
    yield from _values(old, new, place)
    yield from _limits(old, new, place)
    yield from _fields(old, new, place)
    for keyword, what in (("items", "an item"), ("additionalProperties", "any other field")):
        yield from _below(old.get(keyword, True), new.get(keyword, True), f"{what} of {place}")


def _types(schema: Schema) -> set[str]:
    """The types that a schema names; a number may be an integer."""
    told = schema.get("type", [])
    types = {told} if isinstance(told, str) else set(told)
    return types | {"integer"} if "number" in types else types


def _values(old: Schema, new: Schema, place: str) -> Iterator[str]:
    was, now = (schema.get("enum", [schema["const"]] if "const" in schema else None) for schema in (old, new))
    if now is not None:
        gone = ["any other value"] if was is None else [repr(value) for value in was if value not in now]
        if gone:
            yield f"{place} may no longer be {', '.join(gone)}"


def _limits(old: Schema, new: Schema, place: str) -> Iterator[str]:
    for keyword, limit in new.items():
        was = old.get(keyword)
        narrower = keyword not in COMPARED and limit != was
        narrower |= keyword in FLOORS and (was is None or limit > was)
        narrower |= keyword in CEILINGS and (was is None or limit < was)
        if narrower:
            yield f"{place} has {keyword} {limit!r} now, and had {'none' if was is None else repr(was)}"


def _fields(old: Schema, new: Schema, place: str) -> Iterator[str]:
    was, now = old.get("properties", {}), new.get("properties", {})
    for name in was:
        if name in now:
            yield from _compared(was[name], now[name], name if place == "the document" else f"{place}.{name}")
        else:
            yield f"{place} has no field {name} any more"
    for name in sorted(set(new.get("required", ())) - set(old.get("required", ()))):
        yield f"{place} must have a field {name} now"


def _below(old: Schema | bool, new: Schema | bool, place: str) -> Iterator[str]:
    """Schemas of what is inside; true and false allow anything and nothing."""
    if old is False or new is True:
        return
    if new is False:
        yield f"{place} is no longer allowed"
        return
    yield from _compared({} if old is True else old, {} if new is True else new, place)
