"""Reports: one tree of figures, shown as JSON, a terminal table and one HTML file."""
