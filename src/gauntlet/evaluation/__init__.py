"""Evaluation: from predictions to named values, matrices and figures, without any tracking."""
