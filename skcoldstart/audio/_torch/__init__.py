"""Networks that listen; torch is imported here, and this folder only when used."""
