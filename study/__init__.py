"""Many trainings: trials, the workers that run them, and what is read from them."""
