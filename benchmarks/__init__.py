"""Speed as ratios of two times measured in turn, because absolute times depend on the machine."""
