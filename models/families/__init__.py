"""The families of models, a folder each; `registry` says where each one's parts are."""
