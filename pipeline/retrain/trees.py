"""Trees as arrays of nodes, one tree after the other, and as attributes of ONNX's TreeEnsemble."""

from dataclasses import dataclass
from typing import Any

import numpy as np

type Bools = np.ndarray[tuple[int], np.dtype[np.bool_]]
type Ints = np.ndarray[tuple[int], np.dtype[np.integer[Any]]]
type Floats = np.ndarray[tuple[int], np.dtype[np.floating[Any]]]


@dataclass(frozen=True)
class Nodes:
    """All nodes (n,) of trees (t,); the first node of each tree is its root.

    sizes: nodes of each tree (t,). left, right: a branch's children, by index within the tree; to
    the left if its feature is at most its threshold, or is missing and missing_left is true.
    value: of a leaf; a score is the sum of one leaf per tree. value and threshold have one type,
    float32 or float64, which is also that of features and scores.
    """

    sizes: Ints
    is_leaf: Bools
    left: Ints
    right: Ints
    feature: Ints
    threshold: Floats
    missing_left: Ints
    value: Floats

    def as_ensemble(self) -> dict[str, Any]:
        """Return the attributes of ONNX's TreeEnsemble.

        The older TreeEnsembleRegressor has a string for each node, so that it is three times as
        large, and takes half as long again to open.
        """
        nodes = self._without_lone_leaves()
        leaf, branch = nodes.is_leaf, ~nodes.is_leaf
        first = np.cumsum(nodes.sizes) - nodes.sizes
        # Leaves are numbered apart from branches.
        number = np.where(leaf, np.cumsum(leaf), np.cumsum(branch)) - 1
        left, right = (
            (place + np.repeat(first, nodes.sizes))[branch] for place in (nodes.left, nodes.right)
        )
        return {
            "n_targets": 1,
            "aggregate_function": 1,  # the sum
            "post_transform": 0,  # none
            "tree_roots": number[first],
            "nodes_featureids": nodes.feature[branch],
            "nodes_splits": nodes.threshold[branch],
            "nodes_modes": np.zeros(branch.sum(), np.uint8),  # at most the threshold
            "nodes_truenodeids": number[left],
            "nodes_trueleafs": leaf[left].astype(np.int64),
            "nodes_falsenodeids": number[right],
            "nodes_falseleafs": leaf[right].astype(np.int64),
            "nodes_missing_value_tracks_true": nodes.missing_left[branch].astype(np.int64),
            "leaf_targetids": np.zeros(leaf.sum(), np.int64),
            "leaf_weights": nodes.value[leaf],
        }

    def _without_lone_leaves(self) -> "Nodes":
        """Put a branch above each tree that is a single leaf; both its ways lead to the leaf."""
        first = np.cumsum(self.sizes) - self.sizes
        lone = self.sizes == 1
        if not lone.any():
            return self
        at = first[lone]

        def with_branches(values: Any, of_branch: Any) -> Any:  # noqa: ANN401 - any of the arrays
            return np.insert(values, at, np.array(of_branch, values.dtype))

        return Nodes(
            sizes=self.sizes + lone,
            is_leaf=with_branches(self.is_leaf, False),  # noqa: FBT003 - what a branch is
            left=with_branches(self.left, 1),
            right=with_branches(self.right, 1),
            feature=with_branches(self.feature, 0),
            threshold=with_branches(self.threshold, 0),
            missing_left=with_branches(self.missing_left, 0),
            value=with_branches(self.value, 0),
        )
