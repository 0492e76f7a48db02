"""Generate the JSON Schema of params.yaml, with which editors complete, explain and check it.

`make params-schema` writes it. The meaning of a key is documented once, in its model's docstring:
"key: what it is." The schema's descriptions come from there.
"""

import inspect
import json
import re
from collections.abc import Iterator
from typing import Any, get_args

from clinical.frozen import Frozen
from clinical.params import Params
from pydantic import BaseModel

NAME = "params.schema.json"


def params_schema() -> str:
    """Return the schema as the text of a JSON file."""
    schema = Params.model_json_schema(by_alias=True)
    for model in _models(Params):
        parts = schema if model is Params else schema["$defs"][model.__name__]
        # The rest of a docstring describes the keys, and goes there.
        parts["description"] = parts.get("description", "").partition("\n\n")[0]
        for name, words in _described(model):
            parts["properties"][name].setdefault("description", words)
    about = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A study's params.yaml",
    }
    return json.dumps(about | _untitled(schema), indent=2, ensure_ascii=False) + "\n"


def _models(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """Yield a model and all its parts."""
    yield model
    for field in model.model_fields.values():
        for one in _named(field.annotation):
            yield from _models(one)


def _named(annotation: Any) -> Iterator[type[BaseModel]]:  # noqa: ANN401
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _named(argument)


def _described(model: type[BaseModel]) -> Iterator[tuple[str, str]]:
    """Find the descriptions of a model's keys in its docstring and those of its bases."""
    for name, field in model.model_fields.items():
        for told in (one for one in model.__mro__ if issubclass(one, Frozen) and one.__doc__):
            words = _of_key(name, inspect.cleandoc(told.__doc__ or ""))
            if words:
                yield field.alias or name, words
                break


def _of_key(name: str, docstring: str) -> str:
    """Find "name: what it is." in a docstring; other keys may be described together with it."""
    keys = r"(?:\w+, )*\w+: "
    listed = rf"(?:\w+, )*{re.escape(name)}(?:, \w+)*: "
    found = re.search(rf"(?:^|[.]\s+){listed}(.+?)(?=\.\s+{keys}|\.?\s*\Z)", docstring, re.DOTALL)
    words = " ".join(found[1].split()) if found else ""
    return f"{words[:1].upper()}{words[1:]}." if words else ""


def _untitled(part: Any) -> Any:  # noqa: ANN401
    """Remove the titles that pydantic makes from names, which add nothing."""
    if isinstance(part, dict):
        return {
            key: _untitled(value)
            for key, value in part.items()
            if not (key == "title" and isinstance(value, str))
        }
    return [_untitled(one) for one in part] if isinstance(part, list) else part
