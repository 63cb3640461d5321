"""A licence is recognised by its name, and a sentence says what it allows."""

from __future__ import annotations

import pytest

from bot.domain.licences import Terms, demands_filter, describe_licence, find_terms


@pytest.mark.parametrize(
    ("licence", "terms"),
    [
        *((name, Terms.PERMISSIVE) for name in ("apache-2.0", "MIT", "bsd-3-clause", "CC0-1.0")),
        *((name, Terms.PERMISSIVE) for name in ("cc-by-4.0", "CC BY-SA 4.0", "unlicense")),
        *((name, Terms.LISTED_USES) for name in ("creativeml-openrail-m", "openrail++")),
        *((name, Terms.LISTED_USES) for name in ("CreativeML Open RAIL++-M", "bloom-rail-1.0")),
        ("flux-1-dev-non-commercial-license", Terms.NON_COMMERCIAL),
        ("FLUX.1 [dev] Non-Commercial License", Terms.NON_COMMERCIAL),
        ("FLUX Non-Commercial License v2.1", Terms.NON_COMMERCIAL),
        ("cc-by-nc-4.0", Terms.NON_COMMERCIAL),
        ("CC BY-NC-SA 4.0", Terms.NON_COMMERCIAL),
        ("MIT, not for commercial use", Terms.NON_COMMERCIAL),
        ("No commercial use", Terms.NON_COMMERCIAL),
        ("CC BY 4.0; commercial use is forbidden", Terms.NON_COMMERCIAL),
        ("stabilityai-nc-research-community", Terms.NON_COMMERCIAL),
        ("stabilityai-ai-community", Terms.REVENUE_LIMIT),
        ("Stability AI Community License", Terms.REVENUE_LIMIT),
        ("Krea 2 Community License", Terms.REVENUE_LIMIT),
        ("tencent-hunyuan-community", Terms.TERRITORY),
        ("Tencent Hunyuan Community License Agreement", Terms.TERRITORY),
        ("fair-ai-public-license-1.0-sd", Terms.OTHER),
        ("permitted by mitzi", Terms.OTHER),
        ("", Terms.UNKNOWN),
        (" – ", Terms.UNKNOWN),
    ],
)
def test_licence_is_recognised_by_its_name(licence: str, terms: Terms):
    assert find_terms(licence) is terms
    sentence = describe_licence(licence)
    assert sentence.endswith(".")
    assert (f", {licence}, " in sentence) is (terms is not Terms.UNKNOWN)


@pytest.mark.parametrize(
    ("licence", "words"),
    [
        ("apache-2.0", "Its licence, apache-2.0, allows all uses."),
        ("openrail", "except those that it lists as harmful"),
        ("cc-by-nc-4.0", "for non-commercial use only"),
        ("stabilityai-ai-community", "only below a yearly revenue of 1 million US dollars"),
        ("tencent", "not valid in the European Union, the United Kingdom and South Korea"),
        ("my own", "terms of its own; read them"),
        ("", "licence is not known"),
    ],
)
def test_sentence_says_what_is_not_allowed(licence: str, words: str):
    assert words in describe_licence(licence)


def test_licence_that_demands_a_filter_says_so():
    assert "demands a content filter; Triptych's checks" in describe_licence("krea-2-community")
    assert demands_filter("Krea 2")
    assert not demands_filter("apache-2.0")
