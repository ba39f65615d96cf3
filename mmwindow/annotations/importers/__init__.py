"""From other annotation formats to point files, one file per format."""
