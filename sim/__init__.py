"""Running a design: simulators, comparison with the reference, waves."""
