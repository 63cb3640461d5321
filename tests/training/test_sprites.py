import json

import numpy as np
import pytest
from PIL import Image

from training.sprites import SPRITE_PIXELS, fit, read_bank, render_icon, write_bank


def test_sprites_are_trimmed_and_stand_at_the_bottom_centre():
    picture = Image.new("RGBA", (64, 64), (0, 0, 0, 0))
    picture.paste((200, 10, 10, 255), (5, 20, 25, 30))
    alpha = fit(picture)[..., 3]
    assert alpha.shape == (SPRITE_PIXELS, SPRITE_PIXELS)
    assert alpha[-1].any()
    assert alpha[:, 0].any()
    assert alpha[:, -1].any()
    assert not alpha[: SPRITE_PIXELS // 3].any()


def test_a_bank_is_read_as_it_was_written(tmp_path):
    bank = {"dog|3d": np.full((4, 4, 4), 7, np.uint8), "cat|3d": np.zeros((4, 4, 4), np.uint8)}
    write_bank(tmp_path / "bank.npz", bank)
    stored = read_bank(tmp_path / "bank.npz")
    assert list(stored) == list(bank)
    assert all(np.array_equal(stored[name], bank[name]) for name in bank)


def test_icons_are_rendered_from_their_set(tmp_path):
    pytest.importorskip("resvg_py", reason="drawing sprites needs resvg-py")
    square = '<rect x="2" y="2" width="12" height="12" fill="#f00"/>'
    icons = {"icons": {"square": {"body": square}}, "width": 16, "height": 16}
    (tmp_path / "icons.json").write_text(json.dumps(icons))
    assert render_icon(tmp_path, "square")[64, 64].tolist() == [255, 0, 0, 255]
    assert render_icon(tmp_path, "circle") is None
