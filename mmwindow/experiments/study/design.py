"""What the study varies, one factor at a time, and what is expected of each level beforehand."""
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from mmwindow.synthetic import Annotators, Variation

OWN = ''  # the generator's own annotators: one to three points by the length of the fracture
TRUTH = 'one'  # annotators of every test image
BASE = 'base'
# What is expected of the difference to the baseline, as :func:`~.analysis.outcome` finds it.
AHEAD, LEVEL, BEHIND, OPEN = 'ahead', 'level', 'behind', 'open'
# What is expected of its change from the base, or from the first level of factors whose test images
# are others.
GROWS, SAME, SHRINKS = 'grows', 'same', 'shrinks'
MARGIN = .03  # of the FROC score or AUROC: a difference that surely lies within is 'level', 'same'

ANNOTATORS: Mapping[str, Annotators] = {
    **{rule: Annotators(points=rule) for rule in ('one', 'fragments', 'several', 'mixed')},
    **{f'jitter{jitter}': Annotators(jitter=jitter) for jitter in (25, 50, 100)},
    **{f'missed{share}': Annotators(missed=share / 100) for share in (25, 50)}}


@dataclass(frozen=True)
class Sizes:
    """How large the study is.

    Attributes:
        num_train, num_val, num_test: Images of the base level.
        side: Long edge of the images, pixels; that of the network's input is the config's.
        epochs: Of the base level.
        seed: Of the images of the trainings with seed 0; the training images of another seed are
            those of as much more, so that other seeds are other training images, too. The test
            images are the same for all.
    """

    num_train: int = 480
    num_val: int = 160
    num_test: int = 640
    side: int = 256
    epochs: int = 5
    seed: int = 0


@dataclass(frozen=True)
class ImageSet:
    """Radiographs that several levels may share.

    Attributes:
        name: Of its folder.
        num_train: Images to train with.
        variation: What is varied of the images.
        annotators: Names of :data:`ANNOTATORS` who mark them.
        has_own_test: Whether its validation and test images are used; else those of the base set.
    """

    name: str
    num_train: int
    variation: Variation = Variation()
    annotators: tuple[str, ...] = (TRUTH,)
    has_own_test: bool = True


@dataclass(frozen=True)
class Cell:
    """One level of one factor: what is trained from several seeds by each system.

    Attributes:
        name: Of its folder.
        factor: Letter of its factor; :data:`BASE` for the base level, which is in every factor.
        level: What the axis says.
        expected: Of Window Loss minus the baseline.
        change: Expected of that difference minus the one at the level that it is compared with.
        images: Its radiographs.
        annotators: Who marks the images that are trained and validated with.
        epochs: Of a training.
    """

    name: str
    factor: str
    level: str
    expected: str
    change: str
    images: ImageSet
    annotators: str = OWN
    epochs: int = 5


class Level(NamedTuple):
    """One row of a factor's table; see :class:`Cell`."""

    name: str
    label: str
    expected: str
    change: str = SAME


@dataclass(frozen=True)
class Factor:
    """What is varied alone.

    Attributes:
        letter: Names it on the command line.
        title: Heads its axis.
        levels: In their order; one of them may be the base. A line break in a label is the figure's.
        expected: In words.
        classifiers: Whether classifiers are trained too.
    """

    letter: str
    title: str
    levels: Sequence[Level]
    expected: str
    classifiers: bool = field(default=False)


FACTORS: Mapping[str, Factor] = {factor.letter: factor for factor in (
    Factor('A', 'spread of the extent (SD of its logarithm)', (
        Level('extent0', '0', LEVEL), Level('extent35', '0.35', LEVEL),
        Level('extent70', '0.7', LEVEL, GROWS)),
        "Window Loss's advantage grows, as boxes have one size and findings do not; to less than "
        "ahead, since the base's extents spread as widely as those of 0.7. One point a finding"),
    Factor('B', 'points per finding', (
        Level('points-one', '1', LEVEL), Level(BASE, '1 to 3\nby length', LEVEL),
        Level('points-mixed', 'mixed\nreaders', AHEAD, GROWS),
        Level('points-fragments', '1 a\nfragment', AHEAD, GROWS),
        Level('points-several', '1 to 4', AHEAD, GROWS)),
        'boxes lose where a finding has several points, as several readers mark it'),
    Factor('C', 'click jitter (pixels of 1024, root mean square)', (
        Level(BASE, '0', LEVEL), Level('jitter25', '25', LEVEL), Level('jitter50', '50', LEVEL),
        Level('jitter100', '100', BEHIND, SHRINKS)),
        'a tie up to 50; at 100 findings lie outside their lower radius, and Window Loss loses'),
    Factor('D', 'scale of the anatomy (largest to smallest)', (
        Level('scale1', '1', LEVEL), Level('scale2', '2', LEVEL), Level('scale25', '2.5', LEVEL)),
        'Window Loss gains a little, less than can be told from nothing here. One point a finding'),
    Factor('E', 'training images', (
        Level('images25', '', LEVEL), Level('images50', '', LEVEL), Level(BASE, '', LEVEL),
        Level('images200', '', LEVEL), Level('images400', '', LEVEL)),
        'a tie of Window Loss and boxes; classifiers fall first as images become fewer',
        classifiers=True),
    Factor('F', 'findings that nobody clicked', (
        Level(BASE, '0 %', LEVEL), Level('missed25', '25 %', LEVEL),
        Level('missed50', '50 %', LEVEL)),
        'a tie'))}
# Systems that ask why one wins, by the names of their configs.
CONTROLS: Mapping[str, str] = {
    'wl_kld_lite0_fpn_closed_synthetic': 'WL-KLD, window closed',
    'retinanet_lite0_fpn_tolerant_synthetic': 'RetinaNet, tolerant anchors'}
CORE = (BASE, 'B', 'C', 'E')
PARTS = (BASE, *FACTORS)
VARIATIONS = {
    'extent0': Variation(extent_spread=0.), 'extent35': Variation(extent_spread=.35),
    'extent70': Variation(extent_spread=.7), 'scale1': Variation(scale_range=1.),
    'scale2': Variation(scale_range=2.), 'scale25': Variation(scale_range=2.5)}


def make_cells(sizes: Sizes, parts: Sequence[str] = CORE) -> list[Cell]:
    """Return the cells of some factors, the base first; each cell once.

    Args:
        sizes: Of the study.
        parts: Letters of factors, and :data:`BASE`, which every factor needs.

    Raises:
        ValueError: A part is unknown, or an image set would be empty.
    """
    unknown = [part for part in parts if part not in PARTS]
    if unknown or not parts:
        raise ValueError(f'the parts of the study are {", ".join(PARTS)}; there is no '
                         f'{unknown[0] if unknown else "part given"}')
    base_images = ImageSet(BASE, sizes.num_train, annotators=tuple(ANNOTATORS))
    cells = [Cell(BASE, BASE, BASE, LEVEL, SAME, base_images, epochs=sizes.epochs)]
    for factor in FACTORS.values():
        if factor.letter in parts:
            cells += [make_cell(factor, level, sizes, base_images) for level in factor.levels
                      if level.name != BASE]
    return cells


def make_cell(factor: Factor, level: Level, sizes: Sizes, base_images: ImageSet) -> Cell:
    """Return the cell of one level; see :func:`make_cells`."""
    name = level.name
    images, annotators, epochs, label = base_images, OWN, sizes.epochs, level.label
    if name in VARIATIONS:
        # One point a finding: by its length, the number of points would vary with what is varied.
        images, annotators = ImageSet(name, sizes.num_train, VARIATIONS[name]), TRUTH
    elif name.startswith('images'):
        share = int(name.removeprefix('images')) / 100
        number = round(sizes.num_train * share)
        if number < 2:
            raise ValueError(f'{sizes.num_train} training images: a quarter of them are {number}; at '
                             'least 8 are needed')
        images, label = ImageSet(name, number, has_own_test=False), str(number)
        # As many steps as the base at least: few images are seen more often, as a user would do it.
        epochs = max(sizes.epochs, round(sizes.epochs / share))
    else:
        annotators = name.removeprefix('points-')
    return Cell(name, factor.letter, label, level.expected, level.change, images, annotators, epochs)


def level_label(factor: Factor, level: Level, cells: Mapping[str, Cell], sizes: Sizes) -> str:
    """Return what the axis of a factor says at one of its levels."""
    if level.name == BASE:
        return str(sizes.num_train) if factor.letter == 'E' else level.label
    return cells[level.name].level
