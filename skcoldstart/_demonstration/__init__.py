"""The demonstration: from audio files and play counts to ranked listeners."""
