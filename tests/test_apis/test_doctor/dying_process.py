"""What a process runs whose decoder crashes at one image; it imports little."""
import os

from mmwindow.apis.doctor.image_facts import measure_image


def read_or_die(indices, paths, settings):
    """Read images, and end the process at the third one."""
    if any(path.endswith('0003.png') for path in paths):
        os._exit(1)
    return [(index, measure_image(path, settings))
            for index, path in zip(indices, paths, strict=True)]
