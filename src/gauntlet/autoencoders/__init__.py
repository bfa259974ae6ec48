"""Autoencoders: a config and images come in, a trained `keras.Model` image -> image goes out."""
