"""A tutorial: its commands, the output that it shows, the files that it names.

A block of the kind ``console`` holds lines that begin with ``$ `` (commands) and what they print.
``...`` is any number of lines. Numbers, the units of times and sizes after them, and the machine
behind ``device`` may be others: everything else must be printed as it is shown. ``[exit status 1]``
says that a command fails.

A paragraph that begins with *The test of this page* says what makes it short, in spans of code:
``N=24`` is another value of a variable of the page, ``mmwindow train ... --no-report`` is what is
added to such a command. Comments: ``<!-- full run only: WORDS | WORDS -->`` before a block names
lines of it that small data do not print, ``<!-- not in the test -->`` a block that a test leaves out.
What commands took stands between ``<!-- times -->`` and ``<!-- end -->``.
"""
import re
from dataclasses import dataclass, field
from pathlib import Path

from mmwindow.utils.files import write_text
from mmwindow.utils.progress import describe_seconds

ANY_LINES = '...'
FENCE = '```'
COMMAND = '$ '
TEST_PARAGRAPH = 'The test of this page'
TIMES, END = '<!-- times -->', '<!-- end -->'
FULL_ONLY = re.compile(r'<!-- full run only: (.*) -->')
NOT_TESTED = '<!-- not in the test -->'
NUMBER = re.compile(r'[-+]?(?:\d+(?:\.\d+)?|\.\d+)(?:e[-+]?\d+)?')
QUANTITY = re.compile(r'#(?: (?:ms|s|min|h|kB|MB|GB)\b)')
DEVICE = re.compile(r'^(\s*device\s+)\S.*')  # the processor of the machine that ran the command
BAR = re.compile(r'\[[#.]+\]')
CODE_SPAN = re.compile(r'`([^`\n]+)`')
LINK = re.compile(r'\]\(([^)#\s]+)(?:#[^)]*)?\)')
FILE_NAME = re.compile(r'^[\w./@-]+$')
ENDINGS = ('.json', '.csv', '.html', '.png', '.jpg', '.md', '.py', '.pth', '.onnx', '.npz', '.sh',
           '.zip')


@dataclass
class Command:
    """One command of a page.

    Attributes:
        text: As a shell reads it; may have several lines.
        shown: Lines of output that the page shows.
        place: Line of the page on which the command begins, from 0.
        is_tested: Whether a test runs it.
        full_only: Words; shown lines with one of them are not asked for in a test.
    """

    text: str
    shown: list[str] = field(default_factory=list)
    place: int = 0
    full_only: tuple[str, ...] = ()
    is_tested: bool = True


@dataclass
class Page:
    """A tutorial.

    Attributes:
        path: The Markdown file.
        commands: In order.
        variables: Name -> value in a test.
        additions: Beginning of a command -> what is added to it in a test.
    """

    path: Path
    commands: list[Command]
    variables: dict[str, str]
    additions: dict[str, str]


def read_page(path: Path) -> Page:
    """Read a tutorial.

    Raises:
        ValueError: A block begins with output, or does not end.
    """
    commands: list[Command] = []
    inside, is_new, full_only, is_tested = False, False, (), True
    lines = path.read_text(encoding='utf-8').splitlines()
    for place, line in enumerate(lines):
        comment = FULL_ONLY.match(line)
        if comment:
            full_only = tuple(words.strip() for words in comment[1].split('|'))
        elif line == NOT_TESTED:
            is_tested = False
        elif line.startswith(FENCE):
            inside = line == FENCE + 'console'
            is_new = inside
            if not inside:
                full_only, is_tested = (), True
        elif inside and line.startswith(COMMAND):
            commands.append(Command(line[len(COMMAND):], [], place, full_only, is_tested))
            is_new = False
        elif inside and is_new:
            raise ValueError(f'{path}: line {place + 1}: a block begins with a command, "$ ..."')
        elif inside and commands[-1].text.endswith('\\') and not commands[-1].shown:
            commands[-1].text = commands[-1].text[:-1] + line.strip()
        elif inside:
            commands[-1].shown.append(line)
    if inside:
        raise ValueError(f'{path}: the last block does not end')
    return Page(path, commands, *_read_reductions(lines))


def _read_reductions(lines: list[str]) -> tuple[dict[str, str], dict[str, str]]:
    """Return what a test changes: values of variables, and what is added to commands."""
    paragraphs = '\n'.join(lines).split('\n\n')
    text = ' '.join(' '.join(paragraph.split()) for paragraph in paragraphs
                    if paragraph.startswith(TEST_PARAGRAPH))
    variables, additions = {}, {}
    for span in CODE_SPAN.findall(text):
        begin, found, end = span.partition(' ... ')
        name, equals, value = span.partition('=')
        if found:
            additions[begin] = end
        elif equals and name.isidentifier():
            variables[name] = value
    return variables, additions


def without_numbers(line: str) -> str:
    """Return what must be the same: a line without numbers, their units, the machine, and spaces.

    >>> without_numbers('time: about 1 h 40 min,  12 epochs'), without_numbers('23 min, .5')
    ('time: about #, # epochs', '#, #')
    >>> without_numbers('device  Intel(R) Xeon(R) Processor (AVX512), 1 thread')
    'device #'
    """
    line = NUMBER.sub('#', DEVICE.sub(r'\1#', BAR.sub('', line)))
    line = QUANTITY.sub('#', line)
    line = re.sub(r'-{3,}', '---', re.sub(r'#(?: ?#)+', '#', line))
    return ' '.join(line.split())


def find_difference(shown: list[str], printed: list[str]) -> str | None:
    """Return what a page shows that was not printed, in one line; None where all was.

    >>> find_difference(['3 images', '...'], ['5 images', 'more'])
    >>> find_difference(['3 images', '...'], ['no images'])
    "the page shows '3 images'; printed was 'no images'"
    """
    matches = match_lines(shown, printed)
    return matches if isinstance(matches, str) else None


def match_lines(shown: list[str], printed: list[str]) -> list[int | None] | str:
    """Return which printed line each shown one is (None for ``...``), or what differs.

    Args:
        shown: Lines of a page.
        printed: Lines of a command.
    """
    keys = [without_numbers(line) for line in printed]
    matches: list[int | None] = []
    place, may_jump = 0, False
    for line in shown:
        if line.strip() == ANY_LINES:
            matches.append(None)
            may_jump = True
            continue
        key = without_numbers(line)
        ends = len(keys) if may_jump else place + 1
        found = next((index for index in range(place, min(ends, len(keys)))
                      if keys[index] == key), None)
        if found is None:
            rest = printed[place:place + 1] if not may_jump else printed[place:]
            return (f'the page shows {line.strip()!r}; printed was '
                    f'{" / ".join(text.strip() for text in rest)!r}')
        matches.append(found)
        place, may_jump = found + 1, False
    if place < len(keys) and not may_jump:
        return f'the page shows no more lines; printed was {" / ".join(printed[place:])!r}'
    return matches


@dataclass
class Outcome:
    """What a command did.

    Attributes:
        command: Its text, as it was run.
        lines: Printed.
        seconds: By the clock.
        cpu_seconds: Of processors.
    """

    command: str
    lines: list[str]
    seconds: float = 0.
    cpu_seconds: float = 0.


def paste(page: Page, outcomes: list[Outcome], machine: str) -> None:
    """Write the lines that were printed into the page, in place of those that it shows.

    A command without shown lines gets all of its output; else each shown line becomes the printed one
    that it stands for.

    Args:
        page: As it was run.
        outcomes: Of each command.
        machine: In words.

    Raises:
        ValueError: A line that the page shows was not printed.
    """
    lines = page.path.read_text(encoding='utf-8').splitlines()
    for command, outcome in reversed(list(zip(page.commands, outcomes, strict=True))):
        printed = outcome.lines
        begin = command.place + 1
        while lines[begin - 1].endswith('\\'):
            begin += 1
        if not command.shown:
            new = printed
        else:
            matches = match_lines(command.shown, printed)
            if isinstance(matches, str):
                raise ValueError(f'{page.path}: line {begin}: {command.text}: {matches}')
            new = [ANY_LINES if match is None else printed[match] for match in matches]
        lines[begin:begin + len(command.shown)] = [line.rstrip() for line in new]
    text = '\n'.join(lines) + '\n'
    if TIMES in text:
        head, _, rest = text.partition(TIMES)
        text = f'{head}{TIMES}\n{table_times(outcomes, machine)}\n{END}{rest.partition(END)[2]}'
    write_text(page.path, text)


def table_times(outcomes: list[Outcome], machine: str) -> str:
    """Return what each command took, as a table, with the machine."""
    rows = ['| command | by the clock | processor time |', '|---|---|---|']
    for outcome in outcomes:
        if outcome.seconds >= 1:
            rows.append(f'| `{outcome.command}` | {describe_seconds(outcome.seconds)} | '
                        f'{describe_seconds(outcome.cpu_seconds)} |')
    seconds, cpu = (sum(getattr(outcome, name) for outcome in outcomes)
                    for name in ('seconds', 'cpu_seconds'))
    rows.append(f'| together | {describe_seconds(seconds)} | {describe_seconds(cpu)} |')
    return '\n'.join([*rows, '', f'Measured on: {machine}'])


def named_files(page: Page) -> tuple[list[str], list[str]]:
    """Return the files that the text names: links (relative to the page), and names in code spans.

    Spans with blanks, placeholders in capitals and module names are none.
    """
    text = re.sub(r'^```.*?^```', '', page.path.read_text(encoding='utf-8'), flags=re.M | re.S)
    links = [link for link in LINK.findall(text) if '://' not in link]
    spans = [span for span in CODE_SPAN.findall(text)
             if FILE_NAME.match(span) and not Path(span).stem.isupper()
             and (span.endswith(ENDINGS) or '/' in span) and not span.startswith(('-', '/'))]
    return links, list(dict.fromkeys(spans))
