"""Reading predictions and annotations; records of a result."""
