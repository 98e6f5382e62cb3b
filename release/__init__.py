"""What a release consists of, and the checks of its parts."""
