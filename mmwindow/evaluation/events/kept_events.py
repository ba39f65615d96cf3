"""The events of images that stream by, of several classes, without what cannot matter any more."""
from mmwindow.evaluation.events.floor import RunningFloor, cut_events, prune_events


class KeptEvents:
    """Rows of events, cut as the floors rise (:mod:`mmwindow.evaluation.events.floor`)::

        kept = KeptEvents([], keep_up_to=0.5, num_images=len(maps))
        for scores, points in zip(maps, all_points):
            kept.add([map_events(scores, points, floor=kept.floor(0))])
        kept.prune(len(maps))

    On several ranks each has its own, with the number of images of the whole set: a part of the
    images spends the budget of all no earlier than all do, so the rows of all ranks together give
    the same curve down to the highest of their floors.

    Args:
        rows (list): Is filled in place: one list per image, in it one ImageEvents per class.
        keep_up_to (float, optional): False positives per image up to which recall, threshold
            and FROC score stay the same to the digit; None keeps everything.
        num_images (int, optional): Of the whole set; one too large only drops less. None, where
            it is not known: nothing is dropped before :meth:`prune`.
    """

    def __init__(self, rows, keep_up_to, num_images=None):
        self.rows = rows
        self.keep_up_to = keep_up_to
        self.num_images = num_images
        self._running = {}  # label -> RunningFloor over these rows

    def floor(self, label):
        """Return the score below which nothing of a class can matter; None if none is known."""
        return self._running[label].floor if label in self._running else None

    def add(self, row):
        """Take in one image.

        Args:
            row (list[ImageEvents]): One per class, looked at from :meth:`floor` or lower on.

        Raises:
            ValueError: There are more images than said, or ``keep_up_to`` is negative.
        """
        self.rows.append(row)
        if self.keep_up_to is None or self.num_images is None:
            return
        for label, events in enumerate(row):
            running = self._running.setdefault(
                label, RunningFloor([self.keep_up_to], self.num_images))
            before = running.floor
            running.update(events)
            # A few times in all: the floor is found anew when as much came as is kept.
            if running.floor > before:
                for other in self.rows:
                    other[label] = cut_events(other[label], running.floor)

    def prune(self, num_images):
        """Drop all that cannot matter, now that no image is to come to these rows.

        Args:
            num_images (int): Of the whole set. Where there are more rows, nothing is dropped:
                some are of images seen twice.

        Raises:
            ValueError: ``keep_up_to`` is negative.
        """
        if self.keep_up_to is None or not self.rows or len(self.rows) > num_images:
            return
        for label in range(min(map(len, self.rows))):
            pruned = prune_events([row[label] for row in self.rows], [self.keep_up_to], num_images)
            for row, events in zip(self.rows, pruned, strict=True):
                row[label] = events
