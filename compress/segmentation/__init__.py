"""OPTIN for the Swin inside a Mask2Former."""
