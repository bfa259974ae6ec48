"""Certificates: a defended model comes in, what no change of an image can do goes out."""
