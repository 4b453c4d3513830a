"""JSON Schemas of the catalogue's files, for editors that complete and check while somebody writes."""

from __future__ import annotations

from typing import Any

from common.catalogue import loading

# By the name without its ending, except where a directory of definitions has that name.
_SINGLES = {
    file if file.removesuffix(".yaml") in loading.KINDS else file.removesuffix(".yaml"): model
    for file, model in loading.SINGLES.items()
}
KINDS = (*loading.KINDS, *_SINGLES)
_DRAFT = "https://json-schema.org/draft/2020-12/schema"


def schema(kind: str) -> dict[str, Any]:
    """Of a file of a kind (`metrics`: one definition or a list of them) or of a file of its own (`settings`, `risk.yaml`).

    What an overlay leaves out of a file of its own is taken from the base pack, so nothing is required there.
    """
    model = _SINGLES.get(kind) or loading.KINDS[kind]
    made = model.model_json_schema(ref_template="#/$defs/{model}")
    definitions = made.pop("$defs", {})
    if kind in _SINGLES:
        made.pop("required", None)
        return {
            "$schema": _DRAFT,
            "title": f"{kind.removesuffix('.yaml')}.yaml",
            **_without_title(made),
            "$defs": definitions,
        }
    removed = {
        "type": "object",
        "properties": {"name": made["properties"]["name"], "removed": {"const": True}},
        "required": ["name", "removed"],
        "additionalProperties": False,
    }
    definitions["Definition"] = {"anyOf": [made, removed]}
    one = {"$ref": "#/$defs/Definition"}
    return {
        "$schema": _DRAFT,
        "title": f"{kind}/*.yaml",
        "anyOf": [one, {"type": "array", "items": one}],
        "$defs": definitions,
    }


def _without_title(made: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in made.items() if name != "title"}
