"""The tests of figures draw them as a user has them."""
import pytest


@pytest.fixture(autouse=True)
def figures_of_a_user(full_figures):
    """Of every test here."""
