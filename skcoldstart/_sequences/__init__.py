"""Items of unequal length: their container, windows and checks."""
