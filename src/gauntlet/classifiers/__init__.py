"""Classifiers: images and labels come in, a trained `keras.Model` image -> logits goes out."""
