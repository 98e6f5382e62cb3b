"""What is to be done next, and who is next."""
