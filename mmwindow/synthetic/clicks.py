"""Synthetic radiographs as a research group has its own: a folder of images and a table of clicks."""
import csv
import io
from pathlib import Path

from mmwindow.synthetic.writing import make_images, plan_images
from mmwindow.utils.files import write_text
from mmwindow.utils.messages import count_words

COLUMNS = ('image', 'x', 'y', 'class', 'patient')


def write_clicks(folder: str | Path, num_images: int, seed: int = 0, side: int = 512,
                 progress: bool = True, workers: int | None = None) -> Path:
    """Write ``images/*.png`` and ``clicks.csv``, a row a click, and return the table.

    Half of the images (rounded down) have fractures; a row with empty coordinates says that an image
    was read and nothing was found.

    Args:
        folder: Where; must not hold ``clicks.csv`` yet.
        num_images: How many.
        seed: Of all of them.
        side: Long edge, pixels.
        progress: Show how far it is.
        workers: Processes; None: two where the machine has them.

    Raises:
        ValueError: There is a table already, or a number is < 1.
    """
    folder = Path(folder)
    table = folder / 'clicks.csv'
    if table.exists():
        raise ValueError(f'{table} is there already; name another folder or delete it')
    if num_images < 1 or side < 32 or seed < 0:
        raise ValueError(f'{count_words(num_images, "image")} of side {side}, seed {seed}: at least '
                         'one image of side 32 and a seed of 0 or more are expected')
    (folder / 'images').mkdir(parents=True, exist_ok=True)
    plan = plan_images(seed, {'patient': num_images})
    text = io.StringIO()
    writer = csv.writer(text, lineterminator='\n')
    writer.writerow(COLUMNS)
    for record in make_images(plan, folder / 'images', side, progress, workers):
        name, group = record.image['file_name'], record.image['group']
        for point in record.points:
            writer.writerow([name, *point['keypoints'][:2], 'fracture', group])
        if not record.points:
            writer.writerow([name, '', '', '', group])
    write_text(table, text.getvalue())
    return table
