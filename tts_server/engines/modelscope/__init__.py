"""Sambert-HifiGAN: Mandarin with several voices and emotions, through ModelScope's own pipeline."""
