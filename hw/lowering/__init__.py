"""The compiler: from an integer model to a program, memory images and a placement."""
