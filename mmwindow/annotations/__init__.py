"""Point files: reading, checking, writing; imports nothing of the OpenMMLab family."""
