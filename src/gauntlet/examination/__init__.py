"""What trained networks are worth on test images."""
