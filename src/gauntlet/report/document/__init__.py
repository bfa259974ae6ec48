"""The one document model: what a report says, and the forms in which it is written."""
