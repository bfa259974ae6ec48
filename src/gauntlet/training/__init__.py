"""What every training shares: Keras loops, checkpoints, determinism and the device."""
