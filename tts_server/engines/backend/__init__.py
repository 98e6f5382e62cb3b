"""What engines share whose sound is made by a backend: whether it is there, and whether what it sends is speech."""
