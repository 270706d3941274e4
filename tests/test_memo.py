"""Answers to questions that may lead to themselves."""

from __future__ import annotations

from collections import Counter

import pytest

from asynclint.project.index.memo import MAX_DEPTH, Memo


class Graph:
    """A node's answer is what it reaches; ``asked`` counts how often each is worked out."""

    def __init__(self, edges: dict[int, list[int]]) -> None:
        self.edges = edges
        self.memo = Memo()
        self.asked: Counter[int] = Counter()

    def reached(self, node: int) -> frozenset[int]:
        return self.memo.once(node, self._reached, node) or frozenset()

    def _reached(self, node: int) -> frozenset[int]:
        self.asked[node] += 1
        return frozenset({node}).union(*(self.reached(other) for other in self.edges[node]))


def test_what_no_cycle_cuts_is_worked_out_once() -> None:
    graph = Graph({0: [1, 2], 1: [3], 2: [3], 3: []})
    assert graph.reached(0) == {0, 1, 2, 3}
    assert graph.asked == dict.fromkeys(range(4), 1)


def test_a_cycle_is_cut_where_it_closes_and_only_there() -> None:
    graph = Graph({0: [1, 4], 1: [2], 2: [1, 3], 3: [], 4: [2]})
    assert graph.reached(0) == {0, 1, 2, 3, 4}
    assert graph.asked[3] == 1, "nothing under it is in the cycle"
    assert graph.asked[1] == 1, "it is answered for good although it is asked about inside"
    assert graph.asked[2] == 2, "its first answer leant on one that was not there yet"
    assert graph.reached(2) == {1, 2, 3}


@pytest.mark.parametrize("size", [8, 16, 32])
def test_a_knot_costs_no_more_than_its_size(size: int) -> None:
    """Each of n leads to all others: by trying every order there would be n! ways."""
    graph = Graph({node: [other for other in range(size) if other != node] for node in range(size)})
    assert graph.reached(0) == set(range(size))
    assert sum(graph.asked.values()) <= size**2


def test_what_lies_too_deep_is_unknown_and_asked_again_from_nearer() -> None:
    length = MAX_DEPTH + 10
    graph = Graph({node: [node + 1] for node in range(length)} | {length: []})
    assert length not in graph.reached(0)
    assert length in graph.reached(20)


def test_an_error_leaves_nothing_behind() -> None:
    memo = Memo()

    def failing() -> str:
        memo.once("inner", lambda: memo.once("outer", str))
        raise OSError

    with pytest.raises(OSError):  # noqa: PT011
        memo.once("outer", failing)
    assert memo.once("inner", lambda: "answer") == "answer"
