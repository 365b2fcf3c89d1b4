"""From links to what will register: groups, turns and coverage, on graphs made by hand."""

from math import cos, radians, sin

import pytest

from snapforge.preflight import graph, looking
from snapforge.preflight.graph import Link, Rotation

pytestmark = pytest.mark.part("JOB-2")


def link(a: int, b: int, inliers: int = 60, *, turned: bool = False, move: float = 0.1) -> Link:
    return Link(a, b, inliers, turned, move)


def ring(count: int) -> list[Link]:
    """Each photo with the next, and the last with the first."""
    return [link(min(a, (a + 1) % count), max(a, (a + 1) % count)) for a in range(count)]


def pan(degrees: float) -> Rotation:
    """A camera turned about its own vertical axis."""
    c, s = cos(radians(degrees)), sin(radians(degrees))
    return (c, 0, s, 0, 1, 0, -s, 0, c)


def walk(count: int, step: float) -> list[Link]:
    """Photos taken every `step` degrees of a walk round the object, each linked with the next."""
    return [Link(a, a + 1, 60, turned=False, move=0.1, rotation=pan(step)) for a in range(count - 1)]


class TestGroups:
    def test_the_largest_comes_first_and_photos_alone_are_in_none(self) -> None:
        assert graph.groups(7, [link(0, 1), link(2, 3), link(3, 4)]) == [[2, 3, 4], [0, 1]]

    def test_without_links_there_is_none(self) -> None:
        assert graph.groups(3, []) == []


class TestBelieved:
    def test_a_weak_link_needs_a_third_photo(self) -> None:
        weak, beside = link(0, 1, 16), [link(0, 2), link(1, 2)]
        assert graph.believed([weak]) == []
        assert weak in graph.believed([weak, *beside])

    def test_strangers_are_never_believed(self) -> None:
        stranger = link(0, 1, 14)
        assert stranger not in graph.believed([stranger, link(0, 2), link(1, 2)])


class TestSurvey:
    def test_the_largest_group_is_expected_to_register(self) -> None:
        """Also over a single strong link: the worker registers what is left out photo by photo."""
        other = [Link(one.a + 5, one.b + 5, one.inliers, one.turned, one.move) for one in ring(4)]
        assert looking.survey(9, [*ring(5), *other], 1.0).registered == (0, 1, 2, 3, 4)
        assert looking.survey(9, [*ring(5), *other, link(4, 5)], 1.0).registered == tuple(range(9))

    def test_a_camera_that_was_only_turned_registers_nothing(self) -> None:
        links = [Link(one.a, one.b, 200, turned=True, move=0.2) for one in ring(8)]
        assert looking.survey(8, links, 1.0).registered == ()

    def test_three_hundred_photos_are_no_trouble(self) -> None:
        assert len(looking.survey(300, ring(300), 1.0).registered) == 300


class TestTurnedOnly:
    def test_most_strong_pairs_turned(self) -> None:
        links = [Link(one.a, one.b, 200, turned=True, move=0.2) for one in ring(8)]
        assert graph.turned_only(8, links)
        assert not graph.turned_only(8, ring(8))

    def test_a_few_turned_pairs_of_a_sparse_set_say_nothing(self) -> None:
        assert not graph.turned_only(8, [link(0, 1, 200, turned=True)])


class TestAlike:
    def test_only_neighbours_that_hardly_move(self) -> None:
        assert graph.alike([link(0, 1, move=0.001), link(1, 2, move=0.1), link(0, 2, move=0.001)]) == [1]


@pytest.mark.part("JOB-2.1")
class TestCoverage:
    @pytest.mark.parametrize(("count", "step", "degrees"), [(10, 10.0, 90), (19, 10.0, 180), (28, 10.0, 270)])
    def test_part_of_a_turn(self, count: int, step: float, degrees: int) -> None:
        assert graph.coverage(range(count), walk(count, step)) == degrees

    def test_a_whole_turn(self) -> None:
        assert graph.coverage(range(12), walk(12, 30.0)) == 360

    def test_nobody_can_tell_without_rotations(self) -> None:
        assert graph.coverage(range(8), ring(8)) is None
