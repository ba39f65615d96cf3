"""Numbers and tables as every report shows them."""
import pytest

from mmwindow.utils.markdown import (
    Limits,
    code_block,
    format_number,
    format_p_value,
    format_with_interval,
    markdown_table,
)


@pytest.mark.parametrize('value, text', [
    (0.12345, '0.123'), (None, 'none'), (float('nan'), 'none'), (float('inf'), 'no threshold'),
    (-float('inf'), 'every score'), (0, '0.000')])
def test_a_number(value, text):
    assert format_number(value) == text


def test_digits_and_signs():
    assert format_number(0.05, signed=True) == '+0.050' and format_number(2 / 3, 6) == '0.666667'
    assert format_with_interval(0.1, Limits(-0.05, 0.25), signed=True) == '+0.100 (-0.050 to +0.250)'
    assert format_with_interval(0.5, None) == '0.500' and format_with_interval(None, None) == 'none'
    assert [format_p_value(value) for value in (None, 0.0004, 0.04)] == ['none', '< 0.001', '0.040']


def test_a_table_and_cells_that_would_break_it():
    assert markdown_table([['a', 'b'], [1, 2]]) == '| a | b |\n|---|---|\n| 1 | 2 |'
    assert markdown_table([['x|y'], ['two\nlines']]) == '| x\\|y |\n|---|\n| two lines |'
    assert code_block(['a', 'b']) == '```\na\nb\n```'
