"""What only machines without a GPU need."""
