"""Speed as ratios measured side by side in one process; absolute times say little."""
