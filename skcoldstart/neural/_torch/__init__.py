"""Code that needs torch and skorch; imported when a network is fitted or loaded."""
