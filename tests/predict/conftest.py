from pathlib import Path

import pytest
from model_folder import make_folder


@pytest.fixture
def folder(tmp_path) -> Path:
    return make_folder(tmp_path)
