"""What needs torch and skorch; imported only when a network is fitted or loaded."""
