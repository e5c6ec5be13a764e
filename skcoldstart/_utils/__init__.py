"""What every room of the house uses: validation, threads, progress, atomic files."""
