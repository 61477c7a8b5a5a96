"""What a trained model can be run as, and which of that is best."""
