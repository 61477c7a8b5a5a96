"""OPTIN: pruning in one shot (Khaki et al. 2024)."""
