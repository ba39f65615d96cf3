"""What is said of an image in DICOM: its findings, its score, and the model. Standard library."""
from dataclasses import dataclass

DISCLAIMER = 'RESEARCH USE ONLY. NOT FOR CLINICAL USE.'
MANUFACTURER, PRODUCT = 'mmwindow', 'mmwindow predict'
# SNOMED CT codes of classes; others get one of ours. Equal codes are one class, whatever its words.
CLASS_CODES = {'fracture': '72704001'}
OWN_SCHEME = '99MMWINDOW'


@dataclass(frozen=True)
class Mark:
    """One finding.

    Attributes:
        class_name: Of its class.
        score: Of the model, 0 to 1; no probability.
        point: x and y in pixels of the image, from the outer corner of the first one.
        box: x1, y1, x2, y2, likewise, inside the image.
    """

    class_name: str
    score: float
    point: tuple[float, float]
    box: tuple[float, float, float, float]

    def corners(self) -> list[tuple[float, float]]:
        """Return the box as a closed line of five points."""
        x1, y1, x2, y2 = self.box
        return [(x1, y1), (x2, y1), (x2, y2), (x1, y2), (x1, y1)]

    def describe(self) -> str:
        """Return class and score.

        >>> Mark('fracture', .834, (1, 1), (0, 0, 2, 2)).describe()
        'fracture 0.83'
        """
        return f'{self.class_name} {self.score:.2f}'


@dataclass(frozen=True)
class FoundImage:
    """What a model says of an image.

    Attributes:
        marks: The findings.
        scores: Class and score of the image.
        thresholds: Class and threshold from which on findings are called.
        model: Name of the model.
        version: Of mmwindow.
    """

    marks: tuple[Mark, ...]
    scores: tuple[tuple[str, float], ...]
    thresholds: tuple[tuple[str, float], ...]
    model: str
    version: str

    def describe(self) -> str:
        """Return the findings in words, with the disclaimer."""
        number = len(self.marks)
        found = 'No finding' if not number else f'{number} finding{"s" if number > 1 else ""}'
        limits = ', '.join(f'{value:.4g} ({name})' for name, value in self.thresholds)
        scores = ', '.join(f'{value:.4g} ({name})' for name, value in self.scores)
        return (f'{found} at the threshold {limits}. Score of the image: {scores}. Scores are no '
                f'probabilities. Model: {self.model}. {DISCLAIMER}')


def code_value(name: str) -> str:
    """Return the code of a class that has none in SNOMED CT: at most 16 characters.

    >>> code_value('fracture of the hip'), code_value('Bruch')
    ('FRACTURE_O_971ff', 'BRUCH')
    """
    import hashlib
    plain = ''.join(letter if letter.isascii() and letter.isalnum() else '_'
                    for letter in name.upper())
    if len(plain) <= 16 and plain == name.upper() and plain:
        return plain
    return f'{plain[:10]}_{hashlib.sha256(name.encode()).hexdigest()[:5]}'
