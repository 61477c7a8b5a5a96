"""What to deploy: models x tokens x resolutions x precisions x runtimes x threads x batches."""
