"""When what is said: words, phonemes, mouth shapes and captions with times. No I/O."""
