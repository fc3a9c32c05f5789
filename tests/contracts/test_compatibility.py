"""Compatibility: each change that loses or refuses something is found, and no other."""

from typing import Any

import pytest

from orchestration_project.contracts.compatibility import incompatibilities

TEXT: dict[str, Any] = {"type": "string"}


def document(required: tuple[str, ...] = ("name",), **fields: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {"name": TEXT, **fields}, "required": list(required)}


def either(*schemas: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": list(schemas)}


def referring(definition: dict[str, Any]) -> dict[str, Any]:
    return {**document(part={"$ref": "#/$defs/Part"}), "$defs": {"Part": definition}}


NULL, WHOLE, NUMBER = {"type": "null"}, {"type": "integer"}, {"type": "number"}
KIND = {"enum": ["up", "down"], "type": "string"}
PROFILE, TREND = ({"type": "object", "properties": {"kind": {"const": kind}}} for kind in ("profile", "trend"))

REFUSED = {
    "a field is removed": (document(mrr=NUMBER), document(), "has no field mrr any more"),
    "a field is renamed": (document(mrr=NUMBER), document(revenue=NUMBER), "has no field mrr any more"),
    "a new field is required": (document(), document(("name", "mrr"), mrr=NUMBER), "must have a field mrr now"),
    "a field becomes required": (document(mrr=NUMBER), document(("name", "mrr"), mrr=NUMBER), "must have a field mrr"),
    "a type changes": (document(mrr=NUMBER), document(mrr=TEXT), "mrr may no longer be integer or number"),
    "a type narrows": (document(mrr=NUMBER), document(mrr=WHOLE), "mrr may no longer be number"),
    "null goes": (document(mrr=either(NUMBER, NULL)), document(mrr=NUMBER), "mrr may no longer be null"),
    "a type appears": (document(mrr={}), document(mrr=NUMBER), "mrr may no longer be anything"),
    "a choice is removed": (document(way=KIND), document(way=KIND | {"enum": ["up"]}), "may no longer be 'down'"),
    "choices appear": (document(way=TEXT), document(way=KIND), "way may no longer be any other value"),
    "a constant changes": (document(v={"const": 1}), document(v={"const": 2}), "v may no longer be 1"),
    "a kind of data is removed": (document(data=either(PROFILE, TREND)), document(data=PROFILE), "be 'trend'"),
    "a least value rises": (document(n=WHOLE | {"minimum": 0}), document(n=WHOLE | {"minimum": 1}), "minimum 1 now"),
    "a least value appears": (document(n=WHOLE), document(n=WHOLE | {"minimum": 0}), "n has minimum 0 now, and had"),
    "a largest value falls": (document(n=WHOLE | {"maximum": 9}), document(n=WHOLE | {"maximum": 8}), "maximum 8 now"),
    "a largest length appears": (document(), document(name=TEXT | {"maxLength": 9}), "name has maxLength 9 now"),
    "a pattern appears": (document(), document(name=TEXT | {"pattern": "^C"}), "name has pattern '^C' now"),
    "a format changes": (
        document(at=TEXT | {"format": "date-time"}), document(at=TEXT | {"format": "date"}), "format 'date' now",
    ),
    "an item narrows": (
        document(all={"type": "array", "items": NUMBER}), document(all={"type": "array", "items": WHOLE}),
        "an item of all may no longer be number",
    ),
    "items get a type": (document(all={"type": "array"}), document(all={"type": "array", "items": TEXT}), "an item of"),
    "values of a map narrow": (
        document(map={"type": "object", "additionalProperties": NUMBER}),
        document(map={"type": "object", "additionalProperties": WHOLE}), "any other field of map may no longer",
    ),
    "other fields are forbidden": (document(), document() | {"additionalProperties": False}, "is no longer allowed"),
    "a field below is removed": (document(part=document(n=WHOLE)), document(part=document()), "part has no field n"),
    "a field of a definition is removed": (referring(document(n=WHOLE)), referring(document()), "part has no field n"),
}  # fmt: skip

ACCEPTED = {
    "nothing changes": (document(mrr=NUMBER), document(mrr=NUMBER)),
    "a field is added": (document(), document(mrr=NUMBER)),
    "a field need not be there any more": (document(("name", "mrr"), mrr=NUMBER), document(mrr=NUMBER)),
    "a type widens": (document(n=WHOLE), document(n=NUMBER)),
    "null comes": (document(mrr=NUMBER), document(mrr=either(NUMBER, NULL))),
    "a type goes": (document(mrr=NUMBER), document(mrr={})),
    "a choice is added": (document(way=KIND), document(way=KIND | {"enum": ["up", "down", "flat"]})),
    "a constant becomes a choice": (document(v={"const": 1}), document(v={"enum": [1, 2]})),
    "a kind of data is added": (document(data=PROFILE), document(data={"oneOf": [TREND, PROFILE]})),
    "a least value falls": (document(n=WHOLE | {"minimum": 1}), document(n=WHOLE | {"minimum": 0})),
    "a limit goes": (document(n=WHOLE | {"maximum": 9}), document(n=WHOLE)),
    "a pattern goes": (document(name=TEXT | {"pattern": "^C"}), document()),
    "words change": (document(), document(name=TEXT | {"title": "Name", "description": "Who it is", "default": ""})),
    "a definition moves to where it is used": (referring(document(n=WHOLE)), document(part=document(n=WHOLE))),
    "other fields are allowed": (document() | {"additionalProperties": False}, document()),
}


@pytest.mark.parametrize("change", REFUSED)
def test_a_change_that_loses_or_refuses_something_is_told(change: str) -> None:
    old, new, sentence = REFUSED[change]
    (told,) = incompatibilities(old, new)
    assert sentence in told


@pytest.mark.parametrize("change", ACCEPTED)
def test_a_change_that_only_widens_is_accepted(change: str) -> None:
    assert incompatibilities(*ACCEPTED[change]) == []


def test_every_loss_is_told_at_once() -> None:
    old, new = document(mrr=NUMBER, way=KIND), document(("name", "n"), way=TEXT | {"enum": ["up"]}, n=WHOLE)
    assert incompatibilities(old, new) == [
        "the document has no field mrr any more",
        "way may no longer be 'down'",
        "the document must have a field n now",
    ]
