"""Speech: `say`, and what a service offers to say it with."""
