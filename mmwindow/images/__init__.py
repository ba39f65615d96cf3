"""From an image file to grey pixels, the same for checks, training, pictures and inference."""
