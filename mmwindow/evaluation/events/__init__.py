"""From maps and boxes to events: the levels at which findings and recalls change."""
