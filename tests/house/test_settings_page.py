"""docs/settings.md tells every setting, as the code has it."""

from __future__ import annotations

import pathlib

from tests.house import settings_page

PAGE = pathlib.Path(__file__).parents[2] / "docs" / "settings.md"


def test_the_page_is_what_the_code_says() -> None:
    assert PAGE.read_text() == settings_page.page(), (
        "make it again: python -m tests.house.settings_page > docs/settings.md"
    )
