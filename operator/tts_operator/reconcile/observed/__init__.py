"""What is known of one TTSService's world, and what live objects tell: the ground that all else stands on."""
