"""The pages of accounts: signing in, one's own profile, administration."""
