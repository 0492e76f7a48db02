"""YAML as plain values: apart from `clinical.params`, because a cold start needs no parser."""

import yaml
from yaml import YAMLError

__all__ = ["YAMLError", "plain"]


def plain(text: str | bytes) -> object:
    """Return the values of a YAML file.

    Raises YAMLError, and as YAML's own resolver does, ValueError for a 13th month and TypeError for
    a list as a key.
    """
    return yaml.load(text, Loader=_Loader)  # noqa: S506 - a safe loader


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """The safe loader, in C where there is one, that refuses a key written twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[object, object]:  # noqa: FBT001, FBT002
        seen: set[object] = set()
        for key, _ in node.value:
            name = self.construct_object(key, deep=deep)
            if name in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {name!r} stands twice", key.start_mark
                )
            seen.add(name)
        mapping: dict[object, object] = super().construct_mapping(node, deep=deep)
        return mapping
