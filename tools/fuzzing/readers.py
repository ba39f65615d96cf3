"""All readers by name."""
from fuzzing import (
    readers_annotations,
    readers_dicom,
    readers_dicom_objects,
    readers_images,
    readers_importers,
    readers_predictions,
    readers_tables,
    readers_training,
)

READERS = {reader.name: reader for module in (
    readers_annotations, readers_predictions, readers_tables, readers_images, readers_training,
    readers_dicom, readers_importers, readers_dicom_objects)
           for reader in module.READERS}
