"""Models to learn from, of any origin: asked with the student's images, they answer with logits."""
