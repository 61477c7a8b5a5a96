"""Tables as files that people share: a folder, a git checkout or a repository of Hugging Face."""
