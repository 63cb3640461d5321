"""What the bots of these tests are forked from."""

from __future__ import annotations

import gc
import warnings

import pytest

from tests.fakes.nursery import Nursery


def test_nursery_that_does_not_start_leaves_nothing_for_later_tests_to_stumble_over():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with pytest.raises(RuntimeError), Nursery("no_such_module"):
            pass
        gc.collect()
    assert [str(each.message) for each in caught if each.category is ResourceWarning] == []
