"""Networks on sound. Imports torch, and is imported only when used."""
