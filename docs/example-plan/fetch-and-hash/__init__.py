"""A small plan to learn from: hash a file, have a person look at it, write a report."""
