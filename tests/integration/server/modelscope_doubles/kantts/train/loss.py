"""What ModelScope's training imports."""

criterion_builder = None
