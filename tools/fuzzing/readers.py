"""All readers by name."""
from fuzzing import (
    readers_annotations,
    readers_images,
    readers_predictions,
    readers_tables,
    readers_training,
)

READERS = {reader.name: reader for module in (
    readers_annotations, readers_predictions, readers_tables, readers_images, readers_training)
           for reader in module.READERS}
