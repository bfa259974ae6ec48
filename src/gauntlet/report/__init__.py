"""Reports: finished results come in, tables and Markdown go out; needs no TensorFlow."""
