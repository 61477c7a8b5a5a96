"""What accuracy each module of a trained model is worth."""
