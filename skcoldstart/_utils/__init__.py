"""Code shared by all subpackages: validation, threads, progress, atomic files."""
