"""What tools say of a build, and the energy of an inference."""
