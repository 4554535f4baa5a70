"""Evidence for docs/revocation.md: the real rule under every order of steps, and its model."""
