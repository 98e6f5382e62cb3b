"""What ModelScope's training imports."""

GAN_Trainer = Sambert_Trainer = distributed_init = None
