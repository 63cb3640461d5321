from __future__ import annotations

import pytest

from bot.domain.samplers import SAMPLERS, find_sampler, name_sampler, suggest_sampler


@pytest.mark.parametrize(
    ("name", "sampler"),
    [
        ("Euler a", "euler_a"),
        ("euler_a", "euler_a"),
        ("EULER ANCESTRAL", "euler_a"),
        ("k_euler_a", "euler_a"),
        ("Euler", "euler"),
        ("DPM++ 2M Karras", "dpmpp_2m_karras"),
        ("dpm++ 2m  karras", "dpmpp_2m_karras"),
        ("DPM++ 2M SDE Karras", "dpmpp_2m_sde_karras"),
        ("k_dpmpp_2m", "dpmpp_2m"),
        ("DPM2 a Karras", "kdpm2_a_karras"),
        ("UniPC", "unipc"),
        ("PLMS", "pndm"),
        ("DDIM", "ddim"),
    ],
)
def test_sampler_is_known_by_the_names_that_other_programs_use(name: str, sampler: str):
    assert find_sampler(name) == sampler


def test_every_sampler_is_found_by_each_of_its_own_names():
    for each in SAMPLERS.values():
        for name in (each.id, each.label, *each.aliases):
            assert find_sampler(name) == each.id, name
        assert name_sampler(each.id) == each.label


def test_sampler_of_another_version_is_shown_by_its_id():
    assert name_sampler("of_tomorrow") == "of_tomorrow"
    assert name_sampler(None) == ""


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("eular a", "Euler a"),
        ("dpmpp 2m karas", "DPM++ 2M Karras"),
        ("dpm++ 2m sde karass", "DPM++ 2M SDE Karras"),
        ("unipcc", "UniPC"),
    ],
)
def test_name_that_is_nearly_right_is_suggested(name: str, label: str):
    assert find_sampler(name) is None
    assert suggest_sampler(name) == label


@pytest.mark.parametrize("name", ["", "xyzzy", "**", "a" * 6000])
def test_nothing_is_suggested_for_what_is_like_none(name: str):
    assert find_sampler(name) is None
    assert suggest_sampler(name) is None
