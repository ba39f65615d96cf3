"""Pages whose commands are run: docs/tutorials/*.md."""
