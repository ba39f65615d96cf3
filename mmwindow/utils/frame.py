"""The frame in whose pixels configs, docs and the evaluation give every length."""
FRAME_SIDE = 1024
