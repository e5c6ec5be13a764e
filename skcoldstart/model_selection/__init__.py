"""Cross-validation with sparse plays."""
