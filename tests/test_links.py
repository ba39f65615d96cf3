"""Every link within the pages of the project leads to a file and a heading that are there."""
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob('*.md'), *(path for folder in ('docs', 'configs', 'results', 'mmwindow')
                                      for path in (ROOT / folder).rglob('*.md'))])
CODE = re.compile(r'```.*?```', flags=re.DOTALL)
LINK = re.compile(r'\]\(([^)\s]+)\)')


def heading_anchors(text: str) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    titles = [re.sub(r'\[([^\]]*)\]\([^)]*\)', r'\1', title)
              for title in re.findall(r'^#+ (.*?)\s*$', CODE.sub('', text), flags=re.MULTILINE)]
    return {re.sub(r'[^\w\- ]', '', title.lower()).replace(' ', '-') for title in titles}


def dead_links(page: Path) -> list[str]:
    """Return the relative links of a page that lead nowhere."""
    dead = []
    for link in LINK.findall(CODE.sub('', page.read_text(encoding='utf-8'))):
        if re.match(r'[a-z]+:', link):
            continue  # of the internet
        name, _, anchor = link.partition('#')
        target = page.parent / name if name else page
        if not target.exists() or anchor and anchor not in heading_anchors(
                target.read_text(encoding='utf-8')):
            dead.append(link)
    return dead


@pytest.mark.parametrize('page', PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_of_a_page_lead_somewhere(page):
    assert dead_links(page) == []


def test_a_dead_link_is_found(tmp_path):
    (tmp_path / 'b.md').write_text(
        '# What `it` costs on a CPU, and [why](a.md)\n```\n# no heading\n```\n')
    page = tmp_path / 'a.md'
    page.write_text('[1](b.md) [2](b.md#what-it-costs-on-a-cpu-and-why) [3](#here) [4](https://a.b)\n'
                    '## Here\n[5](c.md) [6](b.md#no-heading) [7](#there)\n```\n[8](d.md)\n```\n')
    assert dead_links(page) == ['c.md', 'b.md#no-heading', '#there']
