"""All readers by name."""
from fuzzing import readers_annotations, readers_predictions

READERS = {reader.name: reader for module in (readers_annotations, readers_predictions)
           for reader in module.READERS}
