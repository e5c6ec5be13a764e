"""Waveform to frames: reading, mel spectrograms and MFCC."""
